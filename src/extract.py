"""Stage -1: recordings become features, by Kaldi where it is installed, else by our own Kaldi-exact extractor."""

from afn.common import errors
from afn.experiment.extraction import main

if __name__ == "__main__":
    errors.run(main)
