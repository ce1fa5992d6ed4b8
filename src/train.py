"""Stage 0: train a system, one run per seed."""

from afn.common import errors
from afn.experiment.training import main

if __name__ == "__main__":
    errors.run(main)
