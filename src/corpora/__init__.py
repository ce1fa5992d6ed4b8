"""What a corpus is, and how it becomes Kaldi data directories."""
