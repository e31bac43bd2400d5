"""The trained model with the language side folded into constants (Eqs. 12 and 26 are constants at test time)."""

from __future__ import annotations

import copy
from typing import Literal, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from duet_core.attributes import AttributeSchema
from duet_core.export.limits import ExportError
from duet_core.model.cross_modal import Attention, CrossModalLayer
from duet_core.model.duet import Duet
from duet_core.model.fixed_norm import make_plain
from duet_core.sampling import SentenceBatch, SentenceBuilder

PieceScore = Literal["sum", "mean"]
"""What an attribute's pieces make of their scores: Eq. 26 adds them up, which favours names for being split; the mean
does not."""

_OUT_OF_SET = 1e4
"""Taken from the score of a piece that is in no attribute of the mask's prompt set: its share becomes 0."""


def one_key(attention: Attention) -> nn.Linear:
    """What a block adds when there is a single key: its weight is 1, so value and output merge into one linear map."""
    value, output = attention.value, attention.output
    merged = nn.Linear(value.in_features, output.out_features)
    with torch.no_grad():
        merged.weight.copy_(output.weight @ value.weight)
        merged.bias.copy_(output.weight @ value.bias + output.bias)
    return merged


class FoldedImageSide(nn.Module):
    """Image side of the only cross-modal layer beside a constant sentence: its keys and values are constants.

    Letter key: B images, T tokens, D width, H heads.
    """

    def __init__(self, layer: CrossModalLayer, text: Tensor) -> None:
        super().__init__()
        cross = layer.image_from_text
        self.heads = cross.heads
        self.query, self.output, self.cross_norm = cross.query, cross.output, cross.norm
        split = (cross.heads, -1)
        keys, values = (torch.unflatten(part(text[0]), -1, split) for part in (cross.key, cross.value))  # (T, H, D/H)
        self.register_buffer("keys", keys.permute(1, 2, 0))  # (H, D/H, T)
        self.register_buffer("values", values.transpose(0, 1))  # (H, T, D/H)
        self.self_map, self.self_norm = one_key(layer.image_self), layer.image_self.norm
        self.feed = layer.image_feed

    def forward(self, state: Tensor) -> Tensor:
        """The image's new state (B, D) from its state (B, D)."""
        keys, values = cast(Tensor, self.keys), cast(Tensor, self.values)
        query = torch.unflatten(self.query(state), -1, (self.heads, -1)).transpose(0, 1)  # (H, B, D/H)
        weight = (query @ keys / keys.shape[1] ** 0.5).softmax(dim=-1)  # (H, B, T)
        mixed = (weight @ values).transpose(0, 1).flatten(1)  # (B, D)
        state = self.cross_norm(state + self.output(mixed))
        state = self.self_norm(state + self.self_map(state))
        return self.feed(state)  # type: ignore[no-any-return]


class StackedImageSide(nn.Module):
    """Image side of K > 1 layers: from the second on the sentence depends on the image, so only ENC_lan folds."""

    def __init__(self, model: Duet, text: Tensor) -> None:
        super().__init__()
        self.cross_modal = model.cross_modal
        self.register_buffer("text", text)  # (1, T, D)

    def forward(self, state: Tensor) -> Tensor:
        """The image's last state (B, D) from its state (B, D)."""
        text = cast(Tensor, self.text)
        mask = torch.ones(text.shape[:2], dtype=torch.bool)
        return self.cross_modal.image_only(state[:, None], text, mask)[:, 0]


class FoldedVision(nn.Module):
    """`vision.onnx`: pixels (B, 3, S, S) -> v (B, A) and the image's state (B, D) before the cross-modal layers."""

    def __init__(self, model: Duet, template: SentenceBatch) -> None:
        super().__init__()
        _demand_one_token(model)
        text = model.text_states(template.input_ids, template.attention_mask)
        layers = model.cross_modal.layers
        self.vision = make_plain(copy.deepcopy(model.vision))
        self.projection, self.direct_path, self.readout = model.image_projection, model.direct_path, model.readout
        self.side: nn.Module = (
            FoldedImageSide(cast(CrossModalLayer, layers[0]), text)
            if len(layers) == 1
            else StackedImageSide(model, text)
        )
        self.attribute_head = model.attribute_head

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """v (B, A) and state (B, D)."""
        features = self.vision(pixels)
        state = self.projection(features)
        if self.readout is not None:
            return self.readout(features), state
        v = self.attribute_head(self.side(state))
        return v if self.direct_path is None else v + self.direct_path(features), state


def candidate_pieces(schema: AttributeSchema, pieces_of_name: list[list[int]]) -> tuple[Tensor, Tensor]:
    """The pieces that may fill masks, and which attributes each speaks for (Eq. 26, A.4).

    Letter key: A attributes, U different pieces of all attributes' names.

    Args:
        pieces_of_name: (A) the word pieces of each attribute's name.

    Returns:
        pieces (U,) int64, ascending, and membership (A, U): 1 where the piece is part of the attribute's name.
    """
    pieces = sorted({piece for row in pieces_of_name for piece in row})
    column = {piece: i for i, piece in enumerate(pieces)}
    membership = torch.zeros(len(schema), len(pieces))
    for row, own in enumerate(pieces_of_name):
        membership[row, [column[piece] for piece in own]] = 1.0
    return torch.tensor(pieces), membership


class FoldedGrounding(nn.Module):
    """`grounding.onnx`: the image's state (B, D) -> attribute scores (B, A) by Eq. 26.

    Letter key: B images, T tokens of the interpretation template, k prompt sets (masks), U candidate pieces, E width of
    the language model.

    At each mask the pieces of its prompt set's attributes share a softmax. An attribute's score is the sum (Eq. 26) or
    the mean over its pieces, times `correction`: 1 in Eq. 26, `sampling_correction` in the demo bundle.
    """

    def __init__(
        self,
        model: Duet,
        template: SentenceBatch,
        masks: Tensor,
        *,
        schema: AttributeSchema,
        pieces: Tensor,
        membership: Tensor,
        correction: Tensor,
        piece_score: PieceScore,
    ) -> None:
        super().__init__()
        *earlier, last = (cast(CrossModalLayer, layer) for layer in model.cross_modal.layers)
        self.earlier_layers = nn.ModuleList(earlier)
        self.image_map, self.image_norm = one_key(last.text_from_image), last.text_from_image.norm
        self.text_self, self.text_feed = last.text_self, last.text_feed
        self.transform = model.mask_head.transform
        prompt = torch.tensor(schema.prompt_index)
        allowed = torch.stack([membership[prompt == m].amax(dim=0) for m in range(len(schema.prompts))])  # (k, U)
        self.register_buffer("text", model.text_states(template.input_ids, template.attention_mask))  # (1, T, D)
        self.register_buffer("masks", masks)
        self.register_buffer("embeddings", model.language.token_embeddings[pieces].T.contiguous())  # (E, U)
        self.register_buffer("bias", model.mask_head.bias[pieces] + (allowed - 1) * _OUT_OF_SET)  # (k, U)
        pieces_of = membership.sum(dim=1, keepdim=True) if piece_score == "mean" else 1.0  # (A, 1)
        self.register_buffer("weight", membership / pieces_of * correction[:, None])  # (A, U)
        self.register_buffer("prompt", prompt)

    def forward(self, state: Tensor) -> Tensor:
        """Attribute scores (B, A), at least 0; with "mean" and corrections up to 1 at most 1."""
        text = cast(Tensor, self.text).expand(state.shape[0], -1, -1)
        mask = torch.ones(1, text.shape[1], dtype=torch.bool)
        image = state[:, None]
        for layer in self.earlier_layers:
            side = cast(CrossModalLayer, layer)
            image, text = side.image_side(image, text, mask), side.text_side(image, text, mask)
        text = self.image_norm(text + self.image_map(image))  # (B, T, D): one key, so no attention is left
        asked = text[:, cast(Tensor, self.masks)]  # (B, k, D): only the masks ask, all tokens answer
        asked = self.text_feed(self.text_self(asked, text, mask))
        scores: Tensor = self.transform(asked) @ cast(Tensor, self.embeddings) + cast(Tensor, self.bias)  # (B, k, U)
        share = scores.softmax(dim=-1)[:, cast(Tensor, self.prompt)]  # (B, A, U)
        return (share * cast(Tensor, self.weight)).sum(dim=-1)


def _demand_one_token(model: Duet) -> None:
    """Folding takes the image for a single key, whose weight is always 1. Raises ExportError otherwise."""
    if model.visual_input != "state":
        raise ExportError(
            f"cross_modal.visual_input: got {model.visual_input!r}; only a model whose image is one token ('state') "
            "can be folded into constants"
        )


def fold_grounding(
    model: Duet,
    sentences: SentenceBuilder,
    tokenizer: PreTrainedTokenizerBase,
    *,
    correction: Tensor | None = None,
    piece_score: PieceScore = "sum",
) -> FoldedGrounding:
    """The grounding of a trained model, as Eq. 26 is printed unless told otherwise.

    Args:
        sentences: must have room for the interpretation template.
        correction: (A,) factors of the attributes' scores; None for 1.
        piece_score: what is made of the scores of an attribute's pieces.

    Raises ExportError for a model with several image tokens.
    """
    _demand_one_token(model)
    schema = sentences.schema
    template, masks = sentences.mask_template()
    pieces, membership = candidate_pieces(schema, name_pieces(schema, tokenizer))
    return FoldedGrounding(
        model,
        template,
        masks,
        schema=schema,
        pieces=pieces,
        membership=membership,
        correction=torch.ones(len(schema)) if correction is None else correction,
        piece_score=piece_score,
    )


def name_pieces(schema: AttributeSchema, tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """(A) the word pieces of each attribute's name."""
    return [tokenizer(attribute.name, add_special_tokens=False)["input_ids"] for attribute in schema.attributes]


class SentenceEmbedding(nn.Module):
    """`text.onnx`: the pre-trained language model's mean-pooled, L2-normalised sentence embedding (N, E)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Embeddings (N, E) of ids (N, T) under the mask (N, T), both int64."""
        states = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state  # (N, T, E)
        kept = attention_mask[..., None].to(states.dtype)
        mean = (states * kept).sum(dim=1) / kept.sum(dim=1)
        return nn.functional.normalize(mean, dim=-1)
