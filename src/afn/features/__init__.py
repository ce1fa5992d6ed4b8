"""Features: waveform to matrix (frames × dims), and the archives that hold them."""
