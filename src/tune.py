"""Tuning: walk the grids of conf/tuning/<system>.yaml on dev alone."""

from afn.common import errors
from afn.experiment.tune import main

if __name__ == "__main__":
    errors.run(main)
