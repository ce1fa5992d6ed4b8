"""Stage 2: one score per utterance of dev and eval, for every seed, and averaged over seeds."""

from afn.common import errors
from afn.experiment.scoring import main

if __name__ == "__main__":
    errors.run(main)
