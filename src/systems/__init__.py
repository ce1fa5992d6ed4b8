"""How a model is trained and how it scores: one interface for every row of the results table."""
