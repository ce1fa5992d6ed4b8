"""Stage 2: one score per utterance of dev and eval, and of other corpora; for every seed, and averaged over seeds."""

from afn.common import errors, parallel
from afn.experiment import command_line, other_corpora, scoring


def main() -> None:
    parser = command_line.arguments(__doc__)
    parallel.add_options(parser)
    options = parser.parse_args()
    with command_line.stage(options) as here, parallel.cluster(options.cluster):
        scoring.score(here)
        for other in here.others:
            other_corpora.score(here, other.name, options.nj)


if __name__ == "__main__":
    errors.run(main)
