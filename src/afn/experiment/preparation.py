"""Stage -2: a corpus becomes data/<corpus>/{train,dev,eval}, three Kaldi data directories."""

import shutil
from typing import Any

from afn import corpora
from afn.common import errors, record
from afn.common.paths import SUBSETS, Layout
from afn.corpora import datadir
from afn.experiment import command_line, locks


def main() -> None:
    parser = command_line.arguments(__doc__, system=False)
    command_line.add_jobs(parser)
    parser.add_argument(
        "--allow-pipes",
        action="store_true",
        help="run the programs of `id program … |` lines in a wav.scp of your own; only for lists you trust",
    )
    options = parser.parse_args()
    here = command_line.from_arguments(options)
    corpus, layout = here.corpus, here.layout

    made_from = corpora.made_from(corpus)
    if record.stands(layout.corpus_data, made_from) and not here.force:
        print(f"prepare: {layout.corpus_data} stands; --force makes it anew")
        return
    with locks.hold(layout.corpus_data):
        prepare(corpus, layout, made_from, options.nj, here.force, options.allow_pipes)


def prepare(
    corpus: corpora.Corpus, layout: Layout, made_from: dict[str, Any], jobs: int, anew: bool, allow_pipes: bool
) -> None:
    """Write the data directories of `corpus` and the record `made_from`."""
    record.remove(layout.corpus_data)
    utterances = corpora.utterances(corpus, layout.corpus_data, jobs, anew, allow_pipes)
    for subset in SUBSETS:
        if subset not in utterances:
            shutil.rmtree(layout.subset(subset), ignore_errors=True)
            continue
        datadir.write(layout.subset(subset), utterances[subset])
        genuine = sum(u.label == "genuine" for u in utterances[subset])
        spoof = len(utterances[subset]) - genuine
        speakers = len({u.speaker for u in utterances[subset]})
        print(f"prepare: wrote {layout.subset(subset)}: {genuine} genuine + {spoof} spoof, {speakers} speakers")
    record.write(layout.corpus_data, made_from)


if __name__ == "__main__":
    errors.run(main)
