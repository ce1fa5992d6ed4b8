"""Stage -1: recordings become features, by Kaldi where it is installed, else by our own Kaldi-exact extractor."""

from afn.common import errors, parallel
from afn.experiment import command_line, extraction


def main() -> None:
    parser = command_line.arguments(__doc__)
    parallel.add_options(parser)
    options = parser.parse_args()
    with command_line.stage(options) as here, parallel.cluster(options.cluster):
        for subset in command_line.prepared(here.layout):
            extraction.extract(here, subset, options.nj)


if __name__ == "__main__":
    errors.run(main)
