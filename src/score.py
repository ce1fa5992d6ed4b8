"""Stage 2: one score per utterance of dev and eval, for every seed, and averaged over seeds."""

from afn.common import errors, parallel
from afn.experiment import command_line, scoring


def main() -> None:
    parser = command_line.arguments(__doc__)
    parallel.add_options(parser, nj=False)
    options = parser.parse_args()
    with command_line.stage(options) as here, parallel.cluster(options.cluster):
        scoring.score(here)


if __name__ == "__main__":
    errors.run(main)
