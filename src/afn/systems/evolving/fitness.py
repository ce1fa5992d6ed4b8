"""The fitness of networks: ease of classification, or the plain EER.

Source: Valenti et al., Odyssey 2018, as an independent implementation reads it, including its treatment of ties:
github.com/Maxwell1447/Neuro-evolution-in-speaker-recognition.
"""

import numpy as np

from afn.metrics.eer import linear_roc_eer


def ease(scores: np.ndarray, genuine: np.ndarray) -> np.ndarray:
    """How easily each network classifies each utterance: 1 minus the fraction of the other class on its wrong side.

    Args:
        scores: float64[networks × utterances], higher = more genuine.
        genuine: bool[utterances], both classes among them.

    Returns:
        float64[networks × utterances], 0…1. An equal score is on the wrong side, so that no utterance is easy for a
        network with one score for all.
    """
    found = np.empty_like(scores)
    for row, eased in zip(scores, found, strict=True):
        of_genuine, of_spoof = np.sort(row[genuine]), np.sort(row[~genuine])
        eased[genuine] = np.searchsorted(of_spoof, row[genuine], side="left") / of_spoof.size
        eased[~genuine] = 1 - np.searchsorted(of_genuine, row[~genuine], side="right") / of_genuine.size
    return found


def fitness(scores: np.ndarray, genuine: np.ndarray) -> np.ndarray:
    """The fitness of each network, float64[networks], 0…1: its ease, averaged over utterances weighted by hardness.

    Arguments as in `ease`. The hardness of an utterance is 1 minus its mean ease over all networks.
    """
    eased = ease(scores, genuine)
    hardness = 1 - eased.mean(axis=0)
    if not hardness.any():  # every network classifies every utterance correctly
        return np.ones(len(scores))
    return eased @ hardness / hardness.sum()


def eer_fitness(scores: np.ndarray, genuine: np.ndarray) -> np.ndarray:
    """1 minus the EER (0…1, linear ROC) of each network, float64[networks]; arguments as in `ease`."""
    return np.array([1 - linear_roc_eer(row[genuine], row[~genuine]) for row in scores])
