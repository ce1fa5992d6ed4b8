"""Stage 3: EERs, DET curves, fusions and the results page of a corpus; or the EERs of any score file."""

from pathlib import Path

from afn.common import errors, parallel
from afn.common.errors import UserError
from afn.experiment import command_line
from afn.metrics import tdcf
from afn.metrics.bootstrap import RESAMPLES
from afn.report import evaluation


def main() -> None:
    parser = command_line.arguments(__doc__, system=False)
    parser.add_argument("--scores", type=Path, metavar="FILE", help="only the EERs of this file of `utt score` lines")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="... against this file of `utt label` lines")
    parser.add_argument("--json", action="store_true", help="... in full precision, as JSON")
    parser.add_argument(
        "--asv-scores", type=Path, metavar="FILE",
        help="scores of a speaker verifier, `name target|nontarget|spoof score` a line: minimum t-DCF as well",
    )  # fmt: skip
    parser.add_argument("--det", nargs="+", metavar="NAME", help="systems and fusions on the DET curves (all)")
    parser.add_argument(
        "--resamples", type=parallel.positive, default=RESAMPLES, metavar="N",
        help="of the bootstrap behind intervals (%(default)s)",
    )  # fmt: skip
    options = parser.parse_args()
    verifier = tdcf.verifier(**tdcf.read_asv(options.asv_scores)) if options.asv_scores else None
    if options.scores and options.labels:
        print(evaluation.of_file(options.scores, options.labels, options.json, verifier), end="")
    elif options.scores or options.labels or options.json:
        raise UserError("--scores FILE and --labels FILE go together, and --json goes with them. Give both files.")
    else:
        here = command_line.from_arguments(options)
        evaluation.of_corpus(here, options.resamples, verifier, options.det)


if __name__ == "__main__":
    errors.run(main)
