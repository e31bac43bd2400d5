"""Batch norms inside their convolutions: values and gradients are those of both parts in evaluation mode."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import timm
import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn

from duet_core.model.build import build_vision
from duet_core.model.fixed_norm import FixedNormConv, fix_norms, make_plain
from duet_core.model.vision import VisionEncoder
from tests.duet_core.tiny_world import TinyWorld, spread_batch_norms

SIZE = 32
CONVOLUTIONS: dict[str, Callable[[], nn.Conv2d]] = {
    "plain": lambda: nn.Conv2d(4, 6, 3, bias=False),
    "padded, with a bias": lambda: nn.Conv2d(4, 6, 3, padding=1),
    "stride and groups": lambda: nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=4, bias=False),
    "dilated, 'same' by name": lambda: nn.Conv2d(4, 6, 3, padding="same", dilation=2),
    "as TensorFlow pads, stride 2": lambda: Conv2dSame(4, 6, 3, stride=2, bias=False),
    "as TensorFlow pads, groups and bias": lambda: Conv2dSame(4, 8, 5, stride=2, groups=2, dilation=2),
    "oblong": lambda: nn.Conv2d(4, 6, (1, 3), stride=(1, 2), padding=(0, 1)),
}


def norm(channels: int, kind: Callable[..., nn.BatchNorm2d] = nn.BatchNorm2d, **more: Any) -> nn.BatchNorm2d:
    """A batch norm as training leaves it: nothing of it is 0 or 1."""
    made = kind(channels, eps=1e-3, **more)
    assert made.running_mean is not None
    assert made.running_var is not None
    with torch.no_grad():
        made.running_mean.normal_()
        made.running_var.uniform_(0.3, 3.0)
        made.weight.normal_()
        made.bias.normal_()
    return made


def pixels(channels: int = 4, side: int = 9, count: int = 2) -> Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randn(count, channels, side, side, generator=random, dtype=torch.float64)


def statistics(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.named_buffers()}


def norms_outside(module: nn.Module) -> Iterator[nn.BatchNorm2d]:
    """Batch norms that are called as such."""
    for part in module.children():
        if isinstance(part, nn.BatchNorm2d):
            yield part
        elif not isinstance(part, FixedNormConv):
            yield from norms_outside(part)


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("side", [8, 9])
def test_values_and_gradients_are_those_of_convolution_and_norm(kind: str, side: int) -> None:
    torch.manual_seed(0)
    conv = CONVOLUTIONS[kind]()
    explicit = nn.Sequential(conv, norm(conv.out_channels)).double().eval()
    twin = copy.deepcopy(explicit)
    fixed = FixedNormConv(twin[0], twin[1])  # type: ignore[arg-type]
    given = [pixels(side=side).requires_grad_(), pixels(side=side).requires_grad_()]
    outputs = [explicit(given[0]), fixed(given[1])]
    torch.testing.assert_close(outputs[1], outputs[0])
    push = torch.randn(outputs[0].shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for output in outputs:
        (output * push).sum().backward()
    torch.testing.assert_close(given[1].grad, given[0].grad)
    found, wanted = dict(twin.named_parameters()), dict(explicit.named_parameters())
    assert len(found) == 3 + (conv.bias is not None)
    for name, parameter in wanted.items():
        assert parameter.grad is not None
        assert float(parameter.grad.abs().max()) > 0
        torch.testing.assert_close(found[name].grad, parameter.grad)


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_the_plain_convolution_is_the_same_and_trains_apart(kind: str) -> None:
    torch.manual_seed(0)
    conv = CONVOLUTIONS[kind]()
    fixed = FixedNormConv(conv, norm(conv.out_channels)).eval()
    plain = fixed.plain()
    assert type(plain) is type(conv)
    torch.testing.assert_close(plain(pixels().float()), fixed(pixels().float()), rtol=1e-4, atol=1e-5)
    before = conv.weight.clone()
    with torch.no_grad():
        plain.weight.zero_()
    assert torch.equal(conv.weight, before)


def test_statistics_stay_in_training_mode() -> None:
    torch.manual_seed(0)
    fixed = FixedNormConv(nn.Conv2d(4, 6, 3), norm(6))
    expected, before = fixed.eval()(pixels().float()), statistics(fixed)
    fixed.train()
    for _ in range(2):
        torch.testing.assert_close(fixed(pixels().float()), expected)
    assert len(before) == 3
    assert all(torch.equal(value, before[name]) for name, value in statistics(fixed).items())
    assert all(parameter.requires_grad for parameter in fixed.parameters())


def made_network() -> nn.Sequential:
    """Three norms behind convolutions, one of them timm's with its activation, and one that is behind none."""
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Conv2d(6, 6, 3), norm(6, BatchNormAct2d, act_layer=nn.ReLU6))
    return nn.Sequential(nn.Conv2d(4, 6, 3), norm(6), inner, nn.Tanh(), norm(6), nn.Conv2d(6, 5, 1), norm(5)).eval()


def test_every_norm_behind_a_convolution_is_fixed_and_no_other() -> None:
    network = made_network()
    expected = network(pixels().float())
    assert fix_norms(network) == 3
    assert [type(part) for part in network] == [
        FixedNormConv, nn.Identity, nn.Sequential, nn.Tanh, nn.BatchNorm2d, FixedNormConv, nn.Identity,
    ]  # fmt: skip
    inner = network[2]
    assert isinstance(inner, nn.Sequential)
    assert [type(part) for part in inner] == [FixedNormConv, nn.ReLU6]
    torch.testing.assert_close(network(pixels().float()), expected)
    assert fix_norms(network) == 0  # there is nothing left to fix
    torch.testing.assert_close(network(pixels().float()), expected)


def test_what_is_kept_stays_as_it_is() -> None:
    network = made_network()
    expected, kept = network(pixels().float()), network[2]
    state = {name: value.clone() for name, value in kept.state_dict().items()}
    assert fix_norms(network, keep=[kept]) == 2
    assert network[2] is kept
    assert not [part for part in kept.modules() if isinstance(part, FixedNormConv)]
    assert all(torch.equal(value, state[name]) for name, value in kept.state_dict().items())
    torch.testing.assert_close(network(pixels().float()), expected)


@pytest.mark.parametrize("middle", [nn.Tanh(), nn.Conv2d(6, 6, 1)], ids=["activation", "convolution"])
def test_a_part_that_is_kept_still_lies_between_its_neighbours(middle: nn.Module) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 6, 3), middle, norm(6)).eval()
    expected = network(pixels().float())
    fix_norms(network, keep=[middle])
    torch.testing.assert_close(network(pixels().float()), expected)


def test_padding_of_another_kind_than_zeros_is_no_other_result() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), norm(6)).eval()
    expected = network(pixels().float())
    fix_norms(network)
    torch.testing.assert_close(network(pixels().float()), expected)
    torch.testing.assert_close(make_plain(network)(pixels().float()), expected)


def test_made_plain_nothing_fixed_is_left_and_nothing_changes() -> None:
    network = made_network()
    expected = network(pixels().float())
    fix_norms(network)
    exported = make_plain(copy.deepcopy(network))
    torch.testing.assert_close(exported(pixels().float()), expected, rtol=1e-4, atol=1e-5)
    assert not [part for part in exported.modules() if isinstance(part, FixedNormConv)]
    assert sum(isinstance(part, FixedNormConv) for part in network.modules()) == 3
    assert make_plain(exported) is exported


def encoders(name: str, stages: int, **more: Any) -> tuple[VisionEncoder, VisionEncoder]:
    """The ordinary encoder in evaluation mode and the one with fixed norms in training mode, of equal weights."""
    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False, num_classes=0, **more)
    spread_batch_norms(network)
    fixed = VisionEncoder(network=copy.deepcopy(network), frozen_stages=stages, visual_token="pooled", fixed_norms=True)
    return VisionEncoder(network=network, frozen_stages=stages, visual_token="pooled").eval(), fixed.train()


@pytest.mark.parametrize(
    ("name", "stages", "more"),
    [
        ("mobilenetv2_100", 0, {"pad_type": "same"}),
        ("mobilenetv2_100", 5, {"pad_type": "same"}),
        ("mobilenetv3_small_050", 1, {}),
        ("test_efficientnet", 2, {}),
        ("test_resnet", 0, {}),  # one norm stands behind a Sequential, where it is left
    ],
)
def test_an_encoder_with_fixed_norms_trains_as_one_in_evaluation_mode(
    name: str, stages: int, more: dict[str, Any]
) -> None:
    ordinary, fixed = encoders(name, stages, **more)
    before, given = statistics(fixed), pixels(3, SIZE).float()
    states = [vision(given) for vision in (ordinary, fixed)]
    torch.testing.assert_close(states[1], states[0], rtol=1e-3, atol=1e-4 * float(states[0].detach().abs().max()))
    for state in states:
        (state / states[0].detach().norm()).square().sum().backward()
    trained = [p for p in ordinary.parameters() if p.requires_grad]
    ours = [p for p in fixed.parameters() if p.requires_grad]
    assert sum(p.numel() for p in ours) == sum(p.numel() for p in trained)
    lengths = [sorted(float(p.grad.norm()) for p in found if p.grad is not None) for found in (trained, ours)]
    torch.testing.assert_close(torch.tensor(lengths[1]), torch.tensor(lengths[0]), rtol=2e-2, atol=1e-4)
    assert len(lengths[0]) == len(trained)
    assert all(torch.equal(value, before[key]) for key, value in statistics(fixed).items())
    trunk = {id(part) for module in fixed.trunk_modules() for part in module.modules()}
    left = [part for part in norms_outside(fixed) if id(part) not in trunk]
    assert not any(part.training for part in left)
    assert len(left) == (1 if name == "test_resnet" else 0)
    assert not [part for part in fixed.modules() if isinstance(part, FixedNormConv) and id(part) in trunk]
    exported = make_plain(copy.deepcopy(fixed)).eval()
    torch.testing.assert_close(exported(given), states[0], rtol=1e-3, atol=1e-4 * float(states[0].detach().abs().max()))


def test_an_encoder_without_batch_norms_is_refused_by_the_field() -> None:
    network = timm.create_model("test_vit", pretrained=False, num_classes=0, img_size=SIZE)
    with pytest.raises(ValueError, match=r"vision\.fixed_norms: got true, but VisionTransformer has no batch norm"):
        VisionEncoder(network=network, frozen_stages=1, visual_token="cls", fixed_norms=True)


def test_the_recipe_decides(tiny_world: TinyWorld) -> None:
    found = []
    for fixed_norms in (False, True):
        vision = build_vision(tiny_world.config(vision__fixed_norms=fixed_norms).vision)
        found.append(sum(isinstance(part, FixedNormConv) for part in vision.modules()))
    assert found[0] == 0 < found[1]
