"""Stage 3: EERs, DET curves, fusions and the results page of a corpus; or the error rates of any score file."""

from pathlib import Path

from afn.common import errors, parallel
from afn.common.errors import UserError
from afn.experiment import command_line
from afn.metrics import tdcf, trial_files
from afn.metrics.bootstrap import RESAMPLES
from afn.report import evaluation, score_file


def main() -> None:
    parser = command_line.arguments(__doc__, system=False)
    parser.add_argument(
        "--scores", type=Path, metavar="FILE",
        help="only the error rates and costs of this file: `utt score` lines, or as for ASVspoof 2019, 2021 or 5",
    )  # fmt: skip
    parser.add_argument(
        "--labels", type=Path, metavar="FILE",
        help="... against this file: `utt genuine|spoof` lines, or a protocol or key of ASVspoof 2017, 2019, 2021 or 5",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="... in full precision, as JSON")
    parser.add_argument(
        "--track", default="eval", choices=trial_files.TRACKS, help="... of a key of ASVspoof 2021 (%(default)s)"
    )
    parser.add_argument(
        "--asv-scores", type=Path, metavar="FILE",
        help="scores of a speaker verifier for the minimum t-DCF: `name target|nontarget|spoof score` lines, "
        "or the folder ASVspoof2019_PA_asv_scores, or keys/PA/ASV of ASVspoof 2021",
    )  # fmt: skip
    parser.add_argument("--det", nargs="+", metavar="NAME", help="systems and fusions on the DET curves (all)")
    parser.add_argument(
        "--resamples", type=parallel.positive, default=RESAMPLES, metavar="N",
        help="of the bootstrap behind intervals (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--audit", action="store_true",
        help="first score eval without silence at its ends and at one level with every system (docs/audit.md)",
    )  # fmt: skip
    parallel.add_options(parser)
    options = parser.parse_args()
    verifier = tdcf.verifier(**trial_files.read_asv(options.asv_scores, options.track)) if options.asv_scores else None
    if options.scores:
        text = score_file.evaluate(
            options.scores, options.labels, options.json, verifier, options.resamples, options.track
        )
        print(text, end="")
    elif options.labels or options.json:
        raise UserError("--labels FILE and --json go together with --scores FILE. Give the score file.")
    else:
        with parallel.cluster(options.cluster):
            here = command_line.from_arguments(options)
            jobs = options.nj if options.audit else 0
            evaluation.of_corpus(here, options.resamples, verifier, options.det, jobs)


if __name__ == "__main__":
    errors.run(main)
