"""Stage 1: what a system looks at."""

from afn.common import errors
from afn.experiment.looking import main

if __name__ == "__main__":
    errors.run(main)
