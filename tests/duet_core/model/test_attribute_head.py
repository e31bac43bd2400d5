"""FC of Eq. 3, alone and with the linear map of the image's own state beside it."""

from __future__ import annotations

import torch

from duet_core.model.build import build_duet
from duet_core.model.duet import AttributeHead
from tests.duet_core.tiny_world import TinyWorld


def test_without_the_direct_path_v_is_the_papers() -> None:
    torch.manual_seed(0)
    head = AttributeHead(width=6, attributes=4, direct=False)
    fused, state = torch.randn(3, 6), torch.randn(3, 6)
    torch.testing.assert_close(head(fused, state), fused @ head.weight.T + head.bias)
    assert [name for name, _ in head.named_parameters()] == ["weight", "bias"]


def test_with_it_v_starts_as_a_linear_map_of_the_image_and_both_learn() -> None:
    torch.manual_seed(0)
    head = AttributeHead(width=6, attributes=4, direct=True)
    fused, state = torch.randn(3, 6), torch.randn(3, 6)
    assert head.direct is not None
    start = head(fused, state)
    torch.testing.assert_close(start, state @ head.direct.weight.T + head.bias)
    start.square().sum().backward()
    assert head.weight.grad is not None
    assert head.direct.weight.grad is not None
    assert min(float(head.weight.grad.abs().max()), float(head.direct.weight.grad.abs().max())) > 0
    with torch.no_grad():
        head.weight.normal_()
    expected = fused @ head.weight.T + state @ head.direct.weight.T + head.bias
    torch.testing.assert_close(head(fused, state), expected)


def test_the_switch_leaves_the_other_parts_as_they_were_initialised(tiny_world: TinyWorld) -> None:
    plain = build_duet(tiny_world.config(), attributes=4, seed=0).state_dict()
    direct = build_duet(tiny_world.config(cross_modal__direct_path=True), attributes=4, seed=0).state_dict()
    assert set(direct) - set(plain) == {"attribute_head.direct.weight"}
    for name in ("cross_modal.layers.0.image_from_text.query.weight", "image_projection.1.weight"):
        torch.testing.assert_close(direct[name], plain[name])
