"""ENC_cro: the cross-modal layers of A.2 (Eqs. 23-25), where the image and the sentence exchange what they know."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention, residual connection and LayerNorm: one attention block of Eqs. 23-25.

    State h_i of the queries attends to the states g_j of the context; for self-attention g is h. With heads m = 1…H

        A_ij^m = softmax over j of (Q_m h_i)ᵀ (K_m g_j) / √(D/H)     (25)
        h~_i   = Σ_m W_m Σ_j A_ij^m · V_m g_j                        (23)
        h'_i   = LayerNorm(h_i + dropout(h~_i))                      (24)

    Q_m, K_m, V_m are D/H rows of `query`, `key`, `value`, W_m as many columns of `output`; all four have biases, which
    the paper does not write. A token that may not be attended has A = 0.

    Letter key: N sequences, Q queries, T keys, D width, H heads.
    """

    def __init__(self, *, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"cross_modal.heads: got {heads}, which does not divide cross_modal.width {width}")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def _split(self, states: Tensor) -> Tensor:
        return torch.unflatten(states, -1, (self.heads, -1)).transpose(1, 2)  # (N, T, D) -> (N, H, T, D/H)

    def forward(self, states: Tensor, context: Tensor, context_mask: Tensor | None = None) -> Tensor:
        """Let `states` (N, Q, D) attend to `context` (N or 1, T, D); returns (N, Q, D).

        Args:
            context_mask: (N or 1, T) True for tokens that may be attended; None when all may.
        """
        key, value = self.key(context), self.value(context)
        if context.shape[0] != states.shape[0]:  # one sentence shared by all images
            key, value = key.expand(states.shape[0], -1, -1), value.expand(states.shape[0], -1, -1)
        mask = None if context_mask is None else context_mask[:, None, None, :]  # (N, 1, 1, T)
        mixed = F.scaled_dot_product_attention(
            self._split(self.query(states)), self._split(key), self._split(value), attn_mask=mask
        )
        joined = mixed.transpose(1, 2).flatten(2)  # (N, H, Q, D/H) -> (N, Q, D)
        return self.norm(states + self.dropout(self.output(joined)))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """Two linear maps with GELU between, residual connection and LayerNorm; any shape (…, D)."""

    def __init__(self, *, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width), nn.Dropout(dropout))
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, states: Tensor) -> Tensor:
        """Transform states (…, D)."""
        return self.norm(states + self.layers(states))  # type: ignore[no-any-return]


class CrossModalLayer(nn.Module):
    """One bidirectional cross-attention, then self-attention and feed-forward for each modality.

    ```
    image ──► cross(image ← text) ──► self ──► feed-forward ──► image'
      ╲╱ both directions read the layer's inputs
      ╱╲
    text ───► cross(text ← image) ──► self ──► feed-forward ──► text'
    ```
    With Att(h, g) the block of Eqs. 23-25 (`Attention`) and FF(h) = LayerNorm(h + W_2 GELU(W_1 h)), for image states x
    and text states s

        x' = FF(Att(y, y)),  y = Att(x, s)
        s' = FF(Att(t, t)),  t = Att(s, x)

    Letter key: N pairs, I image tokens (1: the [CLS] state), T text tokens, D width.

    With I = 1 a text token's attention has a single key: its weight is 1 and the block adds a projection of the image.
    The two directions have weights of their own; `share_cross_attention` gives both the same, as LXMERT does.
    """

    def __init__(
        self, *, width: int, heads: int, hidden: int, dropout: float, share_cross_attention: bool = False
    ) -> None:
        super().__init__()
        self.image_from_text = Attention(width=width, heads=heads, dropout=dropout)
        self.text_from_image = (
            self.image_from_text if share_cross_attention else Attention(width=width, heads=heads, dropout=dropout)
        )
        self.image_self = Attention(width=width, heads=heads, dropout=dropout)
        self.text_self = Attention(width=width, heads=heads, dropout=dropout)
        self.image_feed = FeedForward(width=width, hidden=hidden, dropout=dropout)
        self.text_feed = FeedForward(width=width, hidden=hidden, dropout=dropout)

    def image_side(self, image: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """The image's new states (N, I, D), from image (N, I, D) and text (N or 1, T, D) with mask (N or 1, T)."""
        image = self.image_from_text(image, text, text_mask)
        return self.image_feed(self.image_self(image, image))  # type: ignore[no-any-return]

    def text_side(self, image: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """The sentence's new states (N, T, D); shapes as for `image_side`, but the text has all N rows."""
        text = self.text_from_image(text, image)
        return self.text_feed(self.text_self(text, text, text_mask))  # type: ignore[no-any-return]


class CrossModalEncoder(nn.Module):
    """K cross-modal layers with weights of their own. Letter key as in `CrossModalLayer`."""

    def __init__(self, layers: list[CrossModalLayer]) -> None:
        super().__init__()
        if not layers:
            raise ValueError("cross_modal.layers: got 0; allowed is 1 or more")
        self.layers = nn.ModuleList(layers)

    def forward(self, image: Tensor, text: Tensor, text_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Both sides after K layers: image (N, I, D) and text (N, T, D)."""
        for layer in self.layers:
            assert isinstance(layer, CrossModalLayer)
            image, text = layer.image_side(image, text, text_mask), layer.text_side(image, text, text_mask)
        return image, text

    def image_only(self, image: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """The image side (N, I, D) alone: the last layer's text side is not computed.

        The text may be one sentence (1, T, D) for all images; with K > 1 it is repeated, because the layers change it.
        """
        if len(self.layers) > 1 and text.shape[0] != image.shape[0]:
            text = text.expand(image.shape[0], -1, -1)
            text_mask = text_mask.expand(image.shape[0], -1)
        for layer in self.layers[:-1]:
            assert isinstance(layer, CrossModalLayer)
            image, text = layer.image_side(image, text, text_mask), layer.text_side(image, text, text_mask)
        last = self.layers[-1]
        assert isinstance(last, CrossModalLayer)
        return last.image_side(image, text, text_mask)
