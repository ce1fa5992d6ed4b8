"""Stage -2: a corpus becomes data/<corpus>/{train,dev,eval}, three Kaldi data directories."""

import dataclasses

from afn.common import errors, parallel, record
from afn.experiment import command_line, preparation


def main() -> None:
    parser = command_line.arguments(__doc__, system=False)
    parallel.add_options(parser)
    parser.add_argument(
        "--allow-pipes",
        action="store_true",
        help="run the programs of `id program … |` lines in a wav.scp of your own; only for lists you trust",
    )
    options = parser.parse_args()
    with command_line.stage(options) as here, parallel.cluster(options.cluster):
        for corpus in (here.corpus, *here.others):
            layout = dataclasses.replace(here.layout, corpus=corpus.name)
            folder = layout.corpus_data
            made = preparation.prepare(
                corpus,
                layout,
                jobs=options.nj,
                force=here.redo(folder / record.NAME),
                allow_pipes=options.allow_pipes,
            )
            if made is None:
                print(f"prepare: {folder} is up to date; --force rebuilds it")
            for subset, utterances in (made or {}).items():
                print(f"prepare: wrote {folder / subset}: {preparation.summary(utterances)}")


if __name__ == "__main__":
    errors.run(main)
