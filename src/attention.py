"""Stage 1: what a system looks at: attention masks, log-likelihood ratios over time, or an evolved network."""

from afn.common import errors
from afn.experiment import attention, command_line


def main() -> None:
    parser = command_line.arguments(__doc__)
    parser.add_argument(
        "--utterances", nargs="+", metavar="UTT", help=f"ids to draw ({attention.PER_CLASS} of each class of eval)"
    )
    options = parser.parse_args()
    with command_line.stage(options) as here:
        attention.draw(here, options.utterances)


if __name__ == "__main__":
    errors.run(main)
