"""Stage 3: error rates, DET curves, fusions and the results page of a corpus; or the error rates of any score file."""

from afn.common import errors
from afn.report.evaluation import main

if __name__ == "__main__":
    errors.run(main)
