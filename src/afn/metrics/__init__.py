"""Pure functions of scores and labels: error rates, curves, tables."""
