"""Linear-frequency cepstra against the programs of the ASVspoof 2019 and 2021 baselines."""

import numpy as np
import pytest

from afn.features import audio
from afn.features.lfcc import LfccOptions, lfcc

BASELINE_2021 = {"frame_length": 30.0, "fft_size": 1024, "filters": 70, "coefficients": 19, "preemphasis": 0.0}
BASELINES = {
    "lfcc2019": LfccOptions(),
    "lfcc2021_LA_DF": LfccOptions(**BASELINE_2021, normalised_deltas=True, high_frequency=4000.0),
    "lfcc2021_PA": LfccOptions(**BASELINE_2021, normalised_deltas=True),
}


@pytest.mark.parametrize("utt", ["g1_m_short", "g2_f"])
@pytest.mark.parametrize("baseline", BASELINES)
def test_agrees_with_the_baselines_program(golden, baseline, utt):
    with np.load(golden / f"lfcc_{utt}.npz") as table:
        expected, frames, count = (table[baseline + suffix] for suffix in ("", "_frames", "_count"))
    options = BASELINES[baseline]
    ours = lfcc(audio.read(golden / f"cqcc_{utt}.wav", 16000), options)
    assert ours.shape == (count, 3 * options.coefficients)
    np.testing.assert_allclose(ours[frames], expected.T, rtol=0, atol=1e-10)
