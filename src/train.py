"""Stage 0: train a system, one run per seed. An interrupted run resumes, a finished one is left alone."""

from afn.common import errors, parallel
from afn.experiment import command_line, training


def main() -> None:
    parser = command_line.arguments(__doc__)
    parallel.add_options(parser, nj=False)
    options = parser.parse_args()
    with command_line.stage(options) as here, parallel.cluster(options.cluster):
        training.train(here)


if __name__ == "__main__":
    errors.run(main)
