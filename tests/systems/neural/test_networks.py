"""The networks' contracts: sizes, masks, geometry, initial weights, refusals."""

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from afn.systems.neural.attentive_filtering import ATTENTIONS, AttentiveFilteringNetwork, Resize
from afn.systems.neural.dilated_resnet import DilatedResNet
from afn.systems.neural.light_cnn import LightCNN, OriginalLightCNN

SHORT = 904  # frames; the fewest that the first two take
NETWORKS = {  # parameters, the fewest frames, bins
    AttentiveFilteringNetwork: (185_762, SHORT, 257),
    DilatedResNet: (150_177, SHORT, 257),
    LightCNN: (105_697, 122, 257),
    OriginalLightCNN: (371_874, 32, 864),
}


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def small(attention="sigmoid", **options):
    return AttentiveFilteringNetwork(attention, channels=2, frames=SHORT, **options).eval()


@pytest.mark.parametrize(("network", "expected"), [(network, count) for network, (count, *_) in NETWORKS.items()])
def test_parameter_counts_are_the_papers(network, expected):
    assert parameters(network()) == expected
    if network is AttentiveFilteringNetwork:
        assert parameters(network().branch) == 35_585
    if network is DilatedResNet:
        assert parameters(network("elu")) == expected


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_masks_keep_the_shape_and_the_range_of_their_non_linearity(attention):
    with torch.no_grad():
        mask = small(attention).attend(torch.randn(2, 1, 257, SHORT))
    assert mask.shape == (2, 1, 257, SHORT)
    if attention.startswith("softmax"):
        total = mask.sum(dim=2 if attention == "softmaxF" else 3)
        torch.testing.assert_close(total, torch.ones_like(total))
    else:
        assert (mask >= (0 if attention == "sigmoid" else -1)).all() and (mask <= 1).all()
    assert mask.std() > 0


@pytest.mark.parametrize(
    ("size", "out"), [((9, 171), (137, 851)), ((249, 1075), (257, 1091)), ((5, 1), (9, 7)), ((4, 6), (4, 6))]
)
def test_the_repeatable_gradient_of_a_resize_is_pytorchs(size, out):
    random = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, *size, dtype=torch.float64, generator=random, requires_grad=True)
    weights = torch.randn(2, 3, *out, dtype=torch.float64, generator=random)
    theirs = interpolate(x, size=out, mode="bilinear", align_corners=True)
    ours = Resize.apply(x, torch.Size(out))
    assert torch.equal(ours, theirs)
    gradients = [torch.autograd.grad((resized * weights).sum(), x)[0] for resized in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-11)


def test_a_temperature_flattens_a_softmax():
    torch.manual_seed(0)
    sharp, flat = small("softmaxT"), small("softmaxT", temperature=10.0)
    flat.load_state_dict(sharp.state_dict())
    x = torch.randn(1, 1, 257, SHORT)
    with torch.no_grad():
        assert flat.attend(x).std() < 0.5 * sharp.attend(x).std()


def test_without_the_residual_the_mask_alone_filters():
    x, mask = torch.randn(1, 1, 257, SHORT), torch.rand(1, 1, 257, SHORT)
    torch.testing.assert_close(small(residual=False).filter(x, mask), mask * x)
    torch.testing.assert_close(small().filter(x, mask), (1 + mask) * x)


def test_shapes_of_the_light_cnns_follow_the_tables():
    with torch.no_grad():
        x, shapes = torch.zeros(1, 1, 257, 1091), []
        for layer in LightCNN().body:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                shapes.append(tuple(x.shape[1:]))
        assert shapes == [(16, 128, 364), (24, 64, 121), (32, 32, 40), (16, 16, 13), (16, 8, 4)]
        network, x = OriginalLightCNN().eval(), torch.randn(2, 1, 864, 400)
        assert network.body(x).shape == (2, 16, 27, 12)
        assert network.embed(x).shape == (2, 32)
        both = network.head(network.embed(x)).log_softmax(1)
        torch.testing.assert_close(network(x), both[:, 0] - both[:, 1])


@pytest.mark.parametrize("network", NETWORKS)
def test_too_few_frames_and_other_shapes_are_refused(network):
    _, fewest, bins = NETWORKS[network]
    with pytest.raises(ValueError, match=f"{fewest - 1} are too few.* at least {fewest}\\b"):
        network(frames=fewest - 1)
    model = network(frames=fewest).eval()
    assert model(torch.zeros(1, 1, bins, fewest)).shape == (1,)
    for shape in [(1, 1, bins, fewest + 1), (1, bins, fewest), (1, 1, bins - 1, fewest), (1, 2, bins, fewest)]:
        with pytest.raises(ValueError, match=f"takes B × 1 × {bins}"):
            model(torch.zeros(shape))


@pytest.mark.parametrize(
    ("build", "complaint"),
    [(lambda: AttentiveFilteringNetwork("relu"), "sigmoid"), (lambda: DilatedResNet("gelu"), "relu or elu")],
)
def test_unknown_names_are_refused_with_the_known_ones(build, complaint):
    with pytest.raises(ValueError, match=complaint):
        build()


def test_initialisation_is_xavier_for_the_convolutions_of_the_afn_and_all_layers_of_light_cnns():
    torch.manual_seed(0)
    network = DilatedResNet()
    convolution = network.blocks[1][2]
    assert convolution.weight.std().item() == pytest.approx((2 / (9 * (32 + 32))) ** 0.5, rel=0.05)
    assert not convolution.bias.any()
    assert network.embed.weight.abs().max() <= 768**-0.5  # PyTorch's default is uniform within 1/sqrt(fan in)
    assert network.embed.bias.any()
    for layer in (layer for build in (LightCNN, OriginalLightCNN) for layer in build().modules()):
        if isinstance(layer, nn.Linear):
            assert layer.weight.std().item() == pytest.approx((2 / sum(layer.weight.shape)) ** 0.5, rel=0.2)
            assert not layer.bias.any()
