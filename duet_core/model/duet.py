"""The DUET model: Eqs. 3, 4 and 6 put together, and the vision-only ablation of Table 3."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from duet_core.model.cross_modal import CrossModalEncoder
from duet_core.model.language import LanguageEncoder, MaskHead
from duet_core.model.vision import VisionEncoder


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
    """From the encoder's state (B, F) to the width of the cross-modal layers (B, D).

    `batch_norm` standardises the features first: encoders differ widely in the scale of their states.
    """

    def __init__(self, *, features: int, width: int, batch_norm: bool) -> None:
        norm: nn.Module = nn.BatchNorm1d(features) if batch_norm else nn.Identity()
        super().__init__(norm, nn.Linear(features, width))


class AttributeHead(nn.Linear):
    """FC of Eq. 3: v from what the cross-modal layers made of the image, optionally also from the image alone.

    The `direct` map is no part of the paper. Beside it the fused state starts with no say (weights 0), so that training
    sets out from the vision-only model and the cross-modal layers add what they find.
    Letter key: B images, D width of the cross-modal layers, A attributes.
    """

    def __init__(self, *, width: int, attributes: int, direct: bool) -> None:
        super().__init__(width, attributes)
        self.direct = nn.Linear(width, attributes, bias=False) if direct else None
        if direct:
            nn.init.zeros_(self.weight)

    def forward(self, fused: Tensor, state: Tensor) -> Tensor:  # type: ignore[override]
        """v (B, A) from the fused state (B, D) and the state before the cross-modal layers (B, D)."""
        v = super().forward(fused)
        return v if self.direct is None else v + self.direct(state)


class Duet(nn.Module):
    """ENC_vis, ENC_lan and ENC_cro with the heads that training needs.

    Letter key: B images, F features of the vision encoder, N sentences, T tokens, A attributes, D width of the
    cross-modal layers, E width of the language model, Q masked pieces, W vocabulary.
    """

    def __init__(
        self,
        *,
        vision: VisionEncoder,
        language: LanguageEncoder,
        cross_modal: CrossModalEncoder,
        image_projection: nn.Module,
        text_projection: nn.Module,
        attribute_head: AttributeHead,
        mask_head: MaskHead,
        class_contrast_head: ProjectionHead,
        attribute_contrast_head: ProjectionHead,
    ) -> None:
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

    def image_state(self, hidden: Tensor) -> Tensor:
        """The image's single token (B, D) from the trunk's output (pixels (B, 3, S, S) when no stage is frozen)."""
        return self.image_projection(self.vision.tail(hidden))  # type: ignore[no-any-return]

    def text_states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The sentences' states (N, T, D) before the cross-modal layers."""
        return self.text_projection(self.language(input_ids, attention_mask))  # type: ignore[no-any-return]

    def ground(self, state: Tensor, text: Tensor, text_mask: Tensor) -> Grounded:
        """Both sides for N pairs: state (N, D), text (N, T, D), text_mask (N, T)."""
        image, fused = self.cross_modal(state[:, None], text, text_mask)  # (N, 1, D), (N, T, D)
        return Grounded(v=self.attribute_head(image[:, 0], state), text=fused)

    def attributes(self, state: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """v (B, A) of states (B, D) beside one template (1, T, D) (Eq. 3); the sentence's side is not computed."""
        image = self.cross_modal.image_only(state[:, None], text, text_mask)  # (B, 1, D)
        return self.attribute_head(image[:, 0], state)  # type: ignore[no-any-return]

    def mask_scores(self, states: Tensor) -> Tensor:
        """Scores over the vocabulary (Q, W) of the states (Q, D) at masked positions (Eq. 6)."""
        return self.mask_head(states, self.language.token_embeddings)  # type: ignore[no-any-return]


class VisionOnly(nn.Module):
    """The first row of Table 3: v = FC(ENC_vis(v_cls)), nothing of the language side.

    Letter key: B images, A attributes.
    """

    def __init__(self, *, vision: VisionEncoder, attribute_head: nn.Module) -> None:
        super().__init__()
        self.vision = vision
        self.attribute_head = attribute_head

    def attributes(self, hidden: Tensor) -> Tensor:
        """v (B, A) from the trunk's output (pixels when no stage is frozen)."""
        return self.attribute_head(self.vision.tail(hidden))  # type: ignore[no-any-return]
