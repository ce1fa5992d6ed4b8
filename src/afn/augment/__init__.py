"""Random recording channels: for the corpus `randomised`, and for augmentation while training."""
