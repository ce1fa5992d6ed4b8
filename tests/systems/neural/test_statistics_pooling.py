"""The network that pools statistics over time."""

import math

import pytest
import torch

from afn.systems.neural.inference import for_scoring
from afn.systems.neural.statistics_pooling import StatisticsPoolingCNN, apart, pooled


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    network = StatisticsPoolingCNN((4, 6), [(2, 2), (4, 1)], 5)
    network(torch.randn(8, 1, 257, 30))  # batch statistics that are not 0 and 1
    return network.eval()


@pytest.mark.parametrize("frames", [1, 2, 33, 200])
def test_a_score_of_any_length_does_not_depend_on_level(network, frames):
    x = torch.randn(2, 1, 257, frames, generator=torch.Generator().manual_seed(frames))
    scores = network(x)
    assert scores.shape == (2,) and torch.isfinite(scores).all()
    torch.testing.assert_close(network(x + 5), scores, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(for_scoring(network)(x), scores, rtol=1e-3, atol=1e-3)


def test_a_constant_filter_changes_the_mean_spectrum_alone():
    x, filtered = torch.randn(2, 1, 257, 50), torch.randn(2, 1, 257, 1)
    plain, changed = apart(x), apart(x + filtered)
    torch.testing.assert_close(changed[:, 0], plain[:, 0])
    effect = (changed - plain)[:, 1:] - filtered  # the same in all bins and frames: what it changes the level by
    torch.testing.assert_close(effect, effect[:, :, :1, :1].expand_as(effect))


def test_without_the_mean_spectrum_a_constant_filter_changes_nothing():
    torch.manual_seed(2)
    network = StatisticsPoolingCNN((4, 6), [(2, 2), (4, 1)], 5, spectrum=False).eval()
    x, filtered = torch.randn(2, 1, 257, 50), torch.randn(2, 1, 257, 1)
    torch.testing.assert_close(network(x + filtered), network(x), rtol=1e-3, atol=1e-3)


def test_the_mean_spectrum_is_relative_to_the_power_of_the_whole():
    x = torch.full((1, 1, 257, 4), -50.0)
    x[:, :, :2] = 3.0
    level = 3 + math.log(2 / 257)
    spectrum = apart(x)[0, 1]
    torch.testing.assert_close(spectrum[:2], torch.full((2, 4), 3 - level))
    assert (spectrum[2:] == -20).all()  # silence is not taken for a channel


def test_statistics_are_the_mean_and_the_deviation_over_time():
    maps = torch.randn(2, 3, 4, 50)
    expected = torch.cat([maps.mean(3).flatten(1), maps.std(3, correction=0).flatten(1)], dim=1)
    torch.testing.assert_close(pooled(maps), expected, rtol=1e-4, atol=1e-4)


def test_another_number_of_bins_is_refused(network):
    with pytest.raises(ValueError, match="B × 1 × 257 × T"):
        network(torch.randn(2, 1, 200, 30))


def test_every_convolution_needs_a_stride():
    with pytest.raises(ValueError, match="strides: 1 for 2 widths"):
        StatisticsPoolingCNN((4, 6), [(2, 2)])
