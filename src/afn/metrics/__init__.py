"""Pure functions of scores and labels: error rates, costs, intervals, calibration and fusion."""
