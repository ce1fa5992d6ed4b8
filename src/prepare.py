"""Stage -2: a corpus becomes data/<corpus>/{train,dev,eval}, three Kaldi data directories."""

from afn.common import errors
from afn.experiment.preparation import main

if __name__ == "__main__":
    errors.run(main)
