"""Random recording channels: for the corpus `randomised`, and for augmentation while training."""

from afn.augment.augmenter import Augmentation as Augmentation
from afn.augment.augmenter import Augmenter as Augmenter
from afn.augment.augmenter import Changes as Changes
from afn.augment.augmenter import Copies as Copies
from afn.augment.augmenter import masked as masked
