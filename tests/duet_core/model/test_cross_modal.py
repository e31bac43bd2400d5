"""The cross-modal layers against LXMERT's, and what padding, one image token and the short cut must not change."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers import LxmertConfig
from transformers.models.lxmert.modeling_lxmert import LxmertXLayer

from duet_core.config import CrossModalConfig
from duet_core.model.build import build_cross_modal
from duet_core.model.cross_modal import Attention, CrossModalEncoder, CrossModalLayer

WIDTH, HEADS, HIDDEN = 12, 3, 20


def layer(*, share: bool = False, dropout: float = 0.0) -> CrossModalLayer:
    torch.manual_seed(0)
    made = CrossModalLayer(width=WIDTH, heads=HEADS, hidden=HIDDEN, dropout=dropout, share_cross_attention=share)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made.eval()


def encoder(count: int) -> CrossModalEncoder:
    made = CrossModalEncoder([layer() for _ in range(count)])
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made.eval()


def pair(sentences: int = 3, tokens: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Image (N, 1, D), text (N, T, D) and a mask (N, T) in which sentence i has i padded tokens."""
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(sentences, 1, WIDTH, generator=generator)
    text = torch.randn(sentences, tokens, WIDTH, generator=generator)
    return image, text, torch.arange(tokens) < tokens - torch.arange(sentences)[:, None]


def copy_attention(source: nn.Module, target: Attention) -> None:
    """From LXMERT's attention block: `att` (query, key, value) and `output` (dense, LayerNorm)."""
    attention, output = (
        source.get_submodule("att" if hasattr(source, "att") else "self"),
        source.get_submodule("output"),
    )
    for name in ("query", "key", "value"):
        target.get_submodule(name).load_state_dict(attention.get_submodule(name).state_dict())
    target.output.load_state_dict(output.get_submodule("dense").state_dict())
    target.norm.load_state_dict(output.get_submodule("LayerNorm").state_dict())


def test_shared_cross_attention_equals_lxmert() -> None:
    torch.manual_seed(2)
    config = LxmertConfig(hidden_size=WIDTH, num_attention_heads=HEADS, intermediate_size=HIDDEN)
    theirs = LxmertXLayer(config).eval()  # type: ignore[no-untyped-call]
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    ours = layer(share=True)
    copy_attention(theirs.visual_attention, ours.image_from_text)
    copy_attention(theirs.lang_self_att, ours.text_self)
    copy_attention(theirs.visn_self_att, ours.image_self)
    for inter, output, feed in (
        (theirs.lang_inter, theirs.lang_output, ours.text_feed),
        (theirs.visn_inter, theirs.visn_output, ours.image_feed),
    ):
        feed.layers[0].load_state_dict(inter.dense.state_dict())
        feed.layers[2].load_state_dict(output.dense.state_dict())
        feed.norm.load_state_dict(output.LayerNorm.state_dict())
    image, text, mask = pair()
    added = torch.zeros(mask.shape).masked_fill(~mask, -1e9)[:, None, None]
    their_text, their_image = theirs(text, added, image, None)[:2]
    our_image, our_text = CrossModalEncoder([ours])(image, text, mask)
    torch.testing.assert_close(our_image, their_image, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(our_text[mask], their_text[mask], rtol=1e-5, atol=1e-5)


def test_directions_and_layers_have_weights_of_their_own() -> None:
    config = CrossModalConfig(width=WIDTH, heads=HEADS, feed_forward=HIDDEN, layers=2)
    made = build_cross_modal(config)
    first, second = made.layers
    assert isinstance(first, CrossModalLayer)
    assert isinstance(second, CrossModalLayer)
    assert not {id(p) for p in first.parameters()} & {id(p) for p in second.parameters()}
    assert not torch.equal(first.image_self.query.weight, second.image_self.query.weight)
    assert first.image_from_text is not first.text_from_image
    shared = CrossModalLayer(width=WIDTH, heads=HEADS, hidden=HIDDEN, dropout=0, share_cross_attention=True)
    assert shared.image_from_text is shared.text_from_image
    one = sum(p.numel() for p in first.parameters())
    assert one - sum(p.numel() for p in shared.parameters()) == 4 * WIDTH * (WIDTH + 1) + 2 * WIDTH


@pytest.mark.parametrize("layers", [1, 2])
def test_a_sentence_does_not_depend_on_padding_or_on_its_batch(layers: int) -> None:
    made, (image, text, mask) = encoder(layers), pair()
    image_all, text_all = made(image, text, mask)
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        alone = slice(row, row + 1)
        image_one, text_one = made(image[alone], text[alone, :length], mask[alone, :length])
        torch.testing.assert_close(image_one, image_all[alone], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(text_one, text_all[alone, :length], rtol=1e-5, atol=1e-5)
    other = torch.where(mask[..., None], text, 100.0)  # what stands on padding does not matter
    torch.testing.assert_close(made(image, other, mask)[0], image_all)


def test_one_image_token_is_attended_with_weight_1() -> None:
    made, (image, text, _) = layer(), pair()
    block = made.text_from_image
    expected = block.norm(text + block.output(block.value(image)))
    torch.testing.assert_close(block(text, image), expected)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_image_only_equals_the_image_side(layers: int) -> None:
    made, (image, text, mask) = encoder(layers), pair()
    torch.testing.assert_close(made.image_only(image, text, mask), made(image, text, mask)[0])
    one_text, one_mask = text[:1], mask[:1]
    repeated = made(image, one_text.expand(3, -1, -1), one_mask.expand(3, -1))[0]
    torch.testing.assert_close(made.image_only(image, one_text, one_mask), repeated)


def test_the_image_reads_the_sentence_and_the_sentence_the_image() -> None:
    made, (image, text, mask) = encoder(1), pair()
    image_0, text_0 = made(image, text, mask)
    assert not torch.allclose(made(image, text + 1, mask)[0], image_0, atol=1e-3)
    assert not torch.allclose(made(image + 1, text, mask)[1], text_0, atol=1e-3)


def test_each_direction_uses_its_own_attention() -> None:
    made, (image, text, mask) = encoder(1), pair()
    image_0, text_0 = made(image, text, mask)
    only = made.layers[0]
    assert isinstance(only, CrossModalLayer)
    with torch.no_grad():
        only.text_from_image.value.weight.zero_()
    image_1, text_1 = made(image, text, mask)
    assert torch.equal(image_1, image_0)
    assert not torch.allclose(text_1, text_0, atol=1e-3)


def test_refuses_heads_that_do_not_divide_and_no_layer() -> None:
    with pytest.raises(ValueError, match=r"cross_modal\.heads: got 5.* cross_modal\.width 12"):
        Attention(width=12, heads=5, dropout=0)
    with pytest.raises(ValueError, match=r"cross_modal\.layers: got 0"):
        CrossModalEncoder([])
