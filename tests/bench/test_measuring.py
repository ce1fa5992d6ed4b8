"""What the speed is compared with computes the same; ratios say how many times better ours is."""

import pytest
import torch

import bench_network
import golden_weights
import measuring
import reference_model
from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from measuring import Row


@pytest.mark.slow
def test_the_reference_is_the_network():
    torch.manual_seed(1)
    ours, reference = AttentiveFilteringNetwork().eval(), reference_model.Reference().eval()
    x = torch.randn(1, 1, 257, 1091)
    for layer, model in zip(*(golden_weights.layers_in_order(m, x) for m in (reference, ours)), strict=True):
        layer.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(reference(x), ours(x), rtol=1e-5, atol=1e-6)
    assert sum(p.numel() for p in reference.parameters()) == 185_762


@pytest.mark.slow
def test_every_side_of_the_networks_has_its_work():
    sizes = {side: bench_network.scoring(side)[1] for side in (bench_network.REFERENCE, bench_network.SINGLE)}
    assert list(sizes.values()) == [4, 1] and bench_network.scoring(bench_network.OURS)[1] >= 1
    assert all(bench_network.training(side)[1] == 1 for side in (bench_network.OURS, bench_network.REFERENCE))


def test_a_ratio_above_one_is_better():
    assert Row("a step", "s", 2.0, 5.0, "theirs").ratio == 2.5
    assert Row("a pace", "x real time", 10.0, 4.0, "theirs", more_is_better=True).ratio == 2.5
    assert Row("alone", "s", 2.0).ratio is None


def test_sides_alternate_and_the_first_round_does_not_count():
    order = []

    def side(name, seconds):
        def run():
            order.append(name)
            return next(seconds)

        return run

    sides = {"ours": side("ours", iter([9.0, 1.0, 3.0, 2.0])), "theirs": side("theirs", iter([9.0, 5.0, 5.0, 7.0]))}
    assert measuring.side_by_side(sides, 3) == {"ours": 2.0, "theirs": 5.0}
    assert order == ["ours", "theirs"] * 4
