"""The networks' contracts: sizes, masks, geometry, refusals."""

import pytest
import torch
from torch.nn.functional import interpolate

from afn.systems.neural.attentive_filtering import ATTENTIONS, AttentiveFilteringNetwork, Resize
from afn.systems.neural.dilated_resnet import DilatedResNet

SHORT = 904  # frames; the fewest that the networks take


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts_are_the_papers():
    network = AttentiveFilteringNetwork()
    assert parameters(network) == 185_762
    assert parameters(network.branch) == 35_585
    assert parameters(DilatedResNet()) == parameters(DilatedResNet("elu")) == 150_177


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_masks_keep_the_shape_and_the_range_of_their_non_linearity(attention):
    network = AttentiveFilteringNetwork(attention, channels=2, frames=SHORT).eval()
    with torch.no_grad():
        mask = network.attend(torch.randn(2, 1, 257, SHORT))
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
    sharp = AttentiveFilteringNetwork("softmaxT", channels=2, frames=SHORT).eval()
    flat = AttentiveFilteringNetwork("softmaxT", temperature=10.0, channels=2, frames=SHORT).eval()
    flat.load_state_dict(sharp.state_dict())
    x = torch.randn(1, 1, 257, SHORT)
    with torch.no_grad():
        assert flat.attend(x).std() < 0.5 * sharp.attend(x).std()


def test_without_the_residual_the_mask_alone_filters():
    network = AttentiveFilteringNetwork(residual=False, channels=2, frames=SHORT)
    x, mask = torch.randn(1, 1, 257, SHORT), torch.rand(1, 1, 257, SHORT)
    torch.testing.assert_close(network.filter(x, mask), mask * x)
    network.residual = True
    torch.testing.assert_close(network.filter(x, mask), (1 + mask) * x)


@pytest.mark.parametrize("network", [AttentiveFilteringNetwork, DilatedResNet])
def test_too_few_frames_and_other_shapes_are_refused(network):
    with pytest.raises(ValueError, match=f"{SHORT - 1} are too few.* at least {SHORT}\\.$"):
        network(frames=SHORT - 1)
    model = network(frames=SHORT).eval()
    assert model(torch.zeros(1, 1, 257, SHORT)).shape == (1,)
    for shape in [(1, 1, 257, SHORT + 1), (1, 257, SHORT), (1, 1, 256, SHORT), (1, 2, 257, SHORT)]:
        with pytest.raises(ValueError, match="takes B × 1 × 257"):
            model(torch.zeros(shape))


@pytest.mark.parametrize(
    ("build", "complaint"),
    [(lambda: AttentiveFilteringNetwork("relu"), "sigmoid"), (lambda: DilatedResNet("gelu"), "relu or elu")],
)
def test_unknown_names_are_refused_with_the_known_ones(build, complaint):
    with pytest.raises(ValueError, match=complaint):
        build()


def test_initialisation_is_xavier_for_convolutions_alone():
    torch.manual_seed(0)
    network = DilatedResNet()
    convolution = network.blocks[1][2]
    fan = 9 * (32 + 32)
    assert convolution.weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.05)
    assert not convolution.bias.any()
    assert network.embed.weight.abs().max() <= 768**-0.5  # PyTorch's default is uniform within 1/sqrt(fan in)
    assert network.embed.bias.any()
