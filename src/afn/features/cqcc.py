"""Constant-Q cepstral coefficients: the cepstrum of the constant-Q spectrum on a uniform grid of frequencies.

Sources: Todisco, Delgado, Evans: Constant Q cepstral coefficients, Computer Speech & Language 45, 2017, and its
toolbox, which the ASVspoof 2017 baseline calls; Delgado et al.: ASVspoof 2017 Version 2.0, Odyssey 2018 (log energy and
normalisation).
"""

from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np
import scipy
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from afn.features import cqt
from afn.features.cmvn import utterance_cmvn
from afn.features.deltas import with_deltas

EPS = np.finfo(np.float64).eps  # added to the power before the logarithm, as in the toolbox
GRID_BLOCK = 1024  # points of the uniform grid at a time


class CqccOptions(cqt.CqtOptions):
    """The settings of the coefficients; the defaults are those of the ASVspoof 2017 baseline, 90 dimensions."""

    resampling: PositiveInt = Field(default=16, description="d: the uniform grid has the step fmin / d")
    coefficients: PositiveInt = Field(default=29, description="cepstra, apart from the first dimension")
    first: Literal["c0", "energy"] = Field(
        default="c0", description="the first dimension; energy: log of the mean power of all bins"
    )
    deltas: NonNegativeInt = Field(default=2, description="0: none, 1: deltas, 2: deltas and delta-deltas")
    delta_window: PositiveInt = Field(default=3, description="frames to each side")
    cmvn: bool = Field(default=False, description="normalise every dimension over the utterance, as the last step")

    @model_validator(mode="after")
    def _bins_suffice(self) -> Self:
        bins = len(cqt.centre_frequencies(self))
        if bins < 4:
            raise ValueError(f"fmax: {bins} bins from fmin to fmax are too few for a cubic spline; 4 are needed")
        if self.coefficients >= bins:
            raise ValueError(f"coefficients: {self.coefficients} must be fewer than the {bins} bins")
        return self


def cqcc(samples: np.ndarray, options: CqccOptions) -> np.ndarray:
    """The constant-Q cepstral coefficients of one recording, float64[T × D]; T as `cqt.frames` tells, at least 4.

    First dimension and cepstra, then their deltas, then delta-deltas; natural logarithms throughout. `samples` and
    errors as for `unit_scale`.
    """
    features = with_deltas(statics(samples, options), options.deltas, options.delta_window)
    return utterance_cmvn(features) if options.cmvn else features


def statics(samples: np.ndarray, options: CqccOptions) -> np.ndarray:
    """float64[T × (coefficients + 1)]: the first dimension and the cepstra; arguments and errors as for `cqcc`."""
    matrix = cepstrum_matrix(options)
    cepstra: Any = 0.0  # arrays from the first block on
    energy: Any = 0.0
    for bins, coefficients in cqt.blocks(samples, options):
        power = np.square(coefficients.real)
        power += np.square(coefficients.imag)
        if options.first == "energy":
            energy += power.sum(axis=1)
        power += EPS
        cepstra += np.log(power, out=power) @ matrix[:, bins].T
    if options.first == "energy":
        cepstra[:, 0] = np.log(energy / matrix.shape[1] + EPS)
    return cepstra


@lru_cache(maxsize=8)
def cepstrum_matrix(options: CqccOptions) -> np.ndarray:
    """float64[(coefficients + 1) × K]: what takes the log power of the bins to the cepstra c0, c1, … (read-only).

    The log power is resampled by a cubic spline (not-a-knot) from the bins' frequencies to the uniform grid, and the
    orthonormal DCT-II is taken over that grid. Both are linear and fixed by the settings: one matrix.
    """
    frequencies, grid = cqt.centre_frequencies(options), uniform_grid(options)
    spline = scipy.interpolate.CubicSpline(frequencies, np.eye(len(frequencies)), bc_type="not-a-knot")
    orders = np.arange(options.coefficients + 1)[:, None]
    matrix = np.zeros((len(orders), len(frequencies)))
    for start in range(0, len(grid), GRID_BLOCK):
        points = np.arange(start, min(start + GRID_BLOCK, len(grid)))
        matrix += np.cos(np.pi * orders * (2 * points + 1) / (2 * len(grid))) @ spline(grid[points])
    matrix *= np.sqrt(2 / len(grid))
    matrix[0] *= np.sqrt(0.5)
    matrix.flags.writeable = False
    return matrix


def uniform_grid(options: CqccOptions) -> np.ndarray:
    """float64[points], Hz: from fmin in steps of fmin / d to the highest bin; 8059 points by default."""
    frequencies = cqt.centre_frequencies(options)
    step = options.fmin / options.resampling
    return frequencies[0] + step * np.arange(int((frequencies[-1] - frequencies[0]) / step) + 1)
