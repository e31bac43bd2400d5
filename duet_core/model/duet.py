"""The DUET model: Eqs. 3, 4 and 6 put together, and the vision-only ablation of Table 3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from duet_core.model.cross_modal import CrossModalEncoder
from duet_core.model.language import LanguageEncoder, MaskHead
from duet_core.model.vision import VisionEncoder

VisualInput = Literal["state", "patches", "pooled_patches"]
"""The image's tokens in the cross-modal layers, see `CrossModalConfig.visual_input`."""


@dataclass(frozen=True)
class Grounded:
    """What the cross-modal layers make of N (image, sentence) pairs.

    Attributes:
        v: (N, A) predicted attribute vectors (Eq. 3).
        text: (N, T, D) the sentences' states (Eq. 4).
    """

    v: Tensor
    text: Tensor


class ProjectionHead(nn.Sequential):
    """H(·) of Eq. 10: linear, ReLU, linear; (M, from) -> (M, to), not normalised."""

    def __init__(self, *, width: int, hidden: int, out: int) -> None:
        super().__init__(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, out))


class ImageProjection(nn.Sequential):
    """From the encoder's state (B, F) to the width of the cross-modal layers (B, D); tokens (B, I, F) to (B, I, D).

    `batch_norm` standardises the features first: encoders differ widely in the scale of their states. Of several tokens
    an image, all of all images are standardised together.
    """

    def __init__(self, *, features: int, width: int, batch_norm: bool) -> None:
        norm: nn.Module = nn.BatchNorm1d(features) if batch_norm else nn.Identity()
        super().__init__(norm, nn.Linear(features, width))

    def start_from_zero(self) -> None:
        """Make the linear map 0: it then holds nothing but what training puts there."""
        linear = self[1]
        assert isinstance(linear, nn.Linear)
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Projected states (B, D) of (B, F), or tokens (B, I, D) of (B, I, F)."""
        rows = features.flatten(0, -2)  # (B, F) or (B * I, F)
        projected: Tensor = super().forward(rows)  # type: ignore[no-untyped-call]
        return projected if features.ndim == 2 else torch.unflatten(projected, 0, features.shape[:2])


@dataclass(frozen=True)
class ImageStates:
    """What ENC_vis says of B images.

    Attributes:
        token: (B, D) the state that stands for the image; without patches its single token for the cross-modal layers.
        direct: (B, A) a linear map of the encoder's state that is added to v; None without a direct path.
        tokens: (B, I, D) its tokens for the cross-modal layers where there are patches; None for `token` alone.
    """

    token: Tensor
    direct: Tensor | None
    tokens: Tensor | None = None

    def __getitem__(self, rows: slice | Tensor) -> ImageStates:
        direct, tokens = (None if part is None else part[rows] for part in (self.direct, self.tokens))
        return ImageStates(self.token[rows], direct, tokens)

    @property
    def sequence(self) -> Tensor:
        """(B, I, D) what enters the cross-modal layers."""
        return self.token[:, None] if self.tokens is None else self.tokens


class Duet(nn.Module):
    """ENC_vis, ENC_lan and ENC_cro with the heads that training needs.

    Letter key: B images, F features of the vision encoder, N sentences, T tokens, A attributes, D width of the
    cross-modal layers, E width of the language model, Q masked pieces, W vocabulary.

    Attributes:
        readout: (B, F) -> (B, A), what reads v off the encoder's state once training is over, instead of all that the
            training had for it (`duet_core.prototypes`); None for v as it was trained.
    """

    def __init__(
        self,
        *,
        vision: VisionEncoder,
        language: LanguageEncoder,
        cross_modal: CrossModalEncoder,
        image_projection: nn.Module,
        text_projection: nn.Module,
        attribute_head: nn.Linear,
        mask_head: MaskHead,
        class_contrast_head: ProjectionHead,
        attribute_contrast_head: ProjectionHead,
        direct_path: nn.Module | None = None,
        visual_input: VisualInput = "state",
    ) -> None:
        """Join the parts.

        Args:
            visual_input: the image's tokens: "state", the encoder's state alone; "patches", state and patch states, v
                being read off the first; "pooled_patches", patch states alone, v being read off their mean after the
                layers. The paper's "mean pooling layer attached behind" (4.4.1) is behind ENC_cro here: its reason
                why rows 1 and 2 lose is that words attend to single patches there.
            direct_path: from the encoder's state (B, F) to (B, A), added to v. No part of the paper. Beside it the
                attribute head starts from 0, so that training sets out from the vision-only model and the cross-modal
                layers add what they find.
        """
        super().__init__()
        self.vision = vision
        self.language = language
        self.cross_modal = cross_modal
        self.image_projection = image_projection
        self.text_projection = text_projection
        self.attribute_head = attribute_head
        self.mask_head = mask_head
        self.class_contrast_head = class_contrast_head
        self.attribute_contrast_head = attribute_contrast_head
        self.direct_path = direct_path
        self.visual_input = visual_input
        self.readout: nn.Linear | None = None
        if direct_path is not None:
            nn.init.zeros_(attribute_head.weight)

    def image_states(self, hidden: Tensor) -> ImageStates:
        """States of B images from the trunk's output (pixels (B, 3, S, S) when no stage is frozen)."""
        if self.visual_input == "state":
            features = self.vision.tail(hidden)  # (B, F)
            return ImageStates(self.image_projection(features), self._direct(features))
        features, patches = self.vision.tail_with_patches(hidden)  # (B, F), (B, P, F)
        if self.visual_input == "pooled_patches":
            tokens = self.image_projection(patches)
            return ImageStates(tokens.mean(dim=1), self._direct(features), tokens)
        tokens = self.image_projection(torch.cat((features[:, None], patches), dim=1))  # (B, 1 + P, D)
        return ImageStates(tokens[:, 0], self._direct(features), tokens)

    def features(self, hidden: Tensor) -> Tensor:
        """The encoder's states (B, F), from which prototypes read v."""
        return self.vision.tail(hidden)

    def _direct(self, features: Tensor) -> Tensor | None:
        if self.readout is not None:
            return self.readout(features)  # type: ignore[no-any-return]
        return None if self.direct_path is None else self.direct_path(features)

    def text_states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The sentences' states (N, T, D) before the cross-modal layers."""
        return self.text_projection(self.language(input_ids, attention_mask))  # type: ignore[no-any-return]

    def ground(self, images: ImageStates, text: Tensor, text_mask: Tensor) -> Grounded:
        """Both sides for N pairs of images and text (N, T, D), text_mask (N, T)."""
        fused, text = self.cross_modal(images.sequence, text, text_mask)  # (N, I, D), (N, T, D)
        return Grounded(v=self._v(fused, images), text=text)

    def attributes(self, images: ImageStates, text: Tensor, text_mask: Tensor) -> Tensor:
        """v (B, A) of B images beside one template (1, T, D) (Eq. 3); the sentence's side is not computed."""
        if self.readout is not None and images.direct is not None:
            return images.direct
        return self._v(self.cross_modal.image_only(images.sequence, text, text_mask), images)

    def _v(self, fused: Tensor, images: ImageStates) -> Tensor:
        image = fused.mean(dim=1) if self.visual_input == "pooled_patches" else fused[:, 0]  # (B, I, D) -> (B, D)
        v: Tensor = self.attribute_head(image)
        return v if images.direct is None else v + images.direct

    def mask_scores(self, states: Tensor) -> Tensor:
        """Scores over the vocabulary (Q, W) of the states (Q, D) at masked positions (Eq. 6)."""
        return self.mask_head(states, self.language.token_embeddings)  # type: ignore[no-any-return]


class VisionOnly(nn.Module):
    """The first row of Table 3: v = FC(ENC_vis(v_cls)), nothing of the language side.

    Letter key: B images, F features of the encoder, A attributes.

    Attributes:
        readout: as in `Duet`.
    """

    def __init__(self, *, vision: VisionEncoder, attribute_head: nn.Module) -> None:
        super().__init__()
        self.vision = vision
        self.attribute_head = attribute_head
        self.readout: nn.Linear | None = None

    def features(self, hidden: Tensor) -> Tensor:
        """The encoder's states (B, F)."""
        return self.vision.tail(hidden)

    def attributes(self, hidden: Tensor) -> Tensor:
        """v (B, A) from the trunk's output (pixels when no stage is frozen)."""
        head = self.attribute_head if self.readout is None else self.readout
        return head(self.features(hidden))  # type: ignore[no-any-return]
