"""Model and losses together: the named losses of one step (Eqs. 13, 14, 21)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from duet_core.config import LossConfig
from duet_core.losses import (
    attribute_contrast,
    attribute_regression,
    class_contrast,
    class_cross_entropy,
    mask_reconstruction,
    self_calibration,
)
from duet_core.model.duet import Duet, ImageStates, VisionOnly
from duet_core.runtime.metric import EUCLIDEAN
from duet_core.sampling import SentenceBatch
from duet_core.step_plan import Grounding, StepPlan

Losses = dict[str, Tensor]
"""Unweighted losses by name (cc, ar, sc, con, cmr, acl) and their weighted sum under "loss"."""


@dataclass(frozen=True)
class ClassVectors:
    """The class vectors a run may see: Cs seen and Cu unseen classes of its split, A attributes.

    Attributes:
        seen: (Cs, A) z of the classes with training photos.
        every: (Cs + Cu, A) z of all classes, the seen ones first.
    """

    seen: Tensor
    every: Tensor

    def to(self, device: torch.device) -> ClassVectors:
        """The same vectors on another device."""
        return ClassVectors(self.seen.to(device), self.every.to(device))


class ZslLoss(nn.Module):
    """L_zsl = L_cc + λ_ar L_ar + λ_sc L_sc, from v (B, A) and labels (B,) among the seen classes."""

    unseen: Tensor
    seen_vectors: Tensor
    every_vector: Tensor

    def __init__(self, vectors: ClassVectors, config: LossConfig) -> None:
        super().__init__()
        self._config = config
        self.register_buffer("seen_vectors", vectors.seen, persistent=False)
        self.register_buffer("every_vector", vectors.every, persistent=False)
        self.register_buffer("unseen", torch.arange(len(vectors.every)) >= len(vectors.seen), persistent=False)

    def forward(self, v: Tensor, label: Tensor) -> Losses:
        """The three losses and their weighted sum under "loss"."""
        with _without_autocast(v):
            v = v.float()
            losses = {
                "cc": class_cross_entropy(v, self.seen_vectors, label, of=self._config.score_for_ce),
                "ar": attribute_regression(v, self.seen_vectors[label]),
            }
            total = losses["cc"] + self._config.lambda_ar * losses["ar"]
            if self._config.lambda_sc:
                losses["sc"] = self_calibration(v, self.every_vector, self.unseen)
                total = total + self._config.lambda_sc * losses["sc"]
        return {**losses, "loss": total}


def _without_autocast(tensor: Tensor) -> torch.autocast:
    """The losses are computed in float32: a cosine divided by τ = 0.05 does not survive bfloat16."""
    return torch.autocast(tensor.device.type, enabled=False)


def _of_share(plan: StepPlan, losses: Losses) -> Losses:
    """Means over this process's anchors, as parts of the means over those of all processes."""
    return losses if plan.share is None else {name: plan.share.anchors * value for name, value in losses.items()}


def _of_all(plan: StepPlan, rows: Tensor) -> tuple[Tensor, Tensor]:
    """One row for each photo of the whole step (M, …), gathered from all processes, and its label (M,)."""
    if plan.share is None:
        return rows, plan.label
    return plan.share.processes.gather(rows, plan.share.sizes)[plan.share.order], plan.share.label


class DuetTask(nn.Module):
    """One step of DUET: a single forward pass over the anchors and all their partners.

    Letter key: B anchors, M photos, N sentences, n of them masked, m anchors with partners, T tokens, A attributes, D
    width of the cross-modal layers.

    Attributes:
        metric: in which class vectors have unit length where the trained model is judged; training knows Euclid's only.
    """

    def __init__(self, *, model: Duet, vectors: ClassVectors, config: LossConfig, template: SentenceBatch) -> None:
        """Put a model beside its losses.

        Args:
            model: what trains.
            vectors: class vectors the run may see.
            config: weights of the losses.
            template: the sentence of Eq. 12, N = 1.
        """
        super().__init__()
        self.model = model
        self.config = config
        self.metric = EUCLIDEAN
        self.zsl = ZslLoss(vectors, config)
        self.register_buffer("template_ids", template.input_ids, persistent=False)
        self.register_buffer("template_mask", template.attention_mask, persistent=False)

    def predict(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """v (B, A) and image states (B, D) beside the template of Eq. 12."""
        images = self.model.image_states(hidden)
        if self.model.readout is not None and images.direct is not None:  # prototypes read v without the sentence
            return images.direct, images.token
        return self._beside_template(images), images.token

    def _beside_template(self, images: ImageStates) -> Tensor:
        ids, mask = cast(Tensor, self.template_ids), cast(Tensor, self.template_mask)
        return self.model.attributes(images, self.model.text_states(ids, mask), mask)  # (B, A)

    def forward(self, plan: StepPlan, hidden: Tensor) -> Losses:
        """Named losses of a plan; `hidden` is the image source's batch for its M photos."""
        images = self.model.image_states(hidden)  # M of them
        if plan.grounding is None:
            return self._classify(plan, images)
        return self._ground(plan, plan.grounding, images)

    def _classify(self, plan: StepPlan, images: ImageStates) -> Losses:
        """L_CLS = L_zsl + λ_con L_con (Eq. 13)."""
        use_contrast = plan.positive is not None and self.config.lambda_con > 0
        v = self._beside_template(images if use_contrast else images[: plan.anchors])
        losses = _of_share(plan, self.zsl(v[: plan.anchors], plan.label[: plan.anchors]))
        if use_contrast and plan.positive is not None:
            projected, label = _of_all(plan, self.model.class_contrast_head(v).float())
            with _without_autocast(v):
                losses["con"] = class_contrast(projected, label, plan.positive, self.config.tau)
            losses["loss"] = losses["loss"] + self.config.lambda_con * losses["con"]
        return losses

    def _ground(self, plan: StepPlan, grounding: Grounding, images: ImageStates) -> Losses:
        """L_CSG = L_zsl + λ_cmr L_cmr + λ_acl L_acl (Eqs. 14, 21)."""
        sentences = grounding.sentences
        text = self.model.text_states(sentences.input_ids, sentences.attention_mask)  # (N, T, D)
        pairs = self.model.ground(images[grounding.image], text, sentences.attention_mask)
        masked = len(grounding.degree)
        if self.config.csg_v == "template":
            v = self._beside_template(images[: plan.anchors])
        elif masked < plan.anchors:  # anchors without a sentence of their own
            v = torch.cat((pairs.v[:masked], self._beside_template(images[masked : plan.anchors])))
        else:
            v = pairs.v[:masked]
        losses = _of_share(plan, self.zsl(v, plan.label[: plan.anchors]))
        losses["cmr"] = self._reconstruct(grounding, pairs.text)
        if plan.share is not None:
            losses["cmr"] = plan.share.masked * losses["cmr"]
        losses["loss"] = losses["loss"] + self.config.lambda_cmr * losses["cmr"]
        has_partners = len(grounding.acl_anchor) > 0 if plan.share is None else plan.share.has_partners
        if self.config.lambda_acl and has_partners:
            losses["acl"] = self._contrast_attributes(grounding, pairs.text)
            if plan.share is not None:
                losses["acl"] = plan.share.partners * losses["acl"]
            losses["loss"] = losses["loss"] + self.config.lambda_acl * losses["acl"]
        return losses

    def _reconstruct(self, grounding: Grounding, text: Tensor) -> Tensor:
        sentence, position = grounding.sentences.masked_positions()
        logits = self.model.mask_scores(text[sentence, position])  # (Q, W)
        wanted = grounding.sentences.labels[sentence, position]
        with _without_autocast(logits):
            return mask_reconstruction(logits.float(), wanted, sentence, grounding.degree)

    def _contrast_attributes(self, grounding: Grounding, text: Tensor) -> Tensor:
        hit = grounding.sentences.target_mask[..., None].to(text.dtype)  # (N, T, 1)
        mean = (text * hit).sum(dim=1) / hit.sum(dim=1)  # (N, D), the target's mean state
        projected = self.model.attribute_contrast_head(mean).float()  # (N, P)
        partners = projected[grounding.acl_partner]  # (m, 5, P)
        with _without_autocast(projected):
            return attribute_contrast(
                projected[grounding.acl_anchor],
                partners[:, 0],
                partners[:, 1:],
                grounding.acl_weight,
                self.config.tau,
                normalise=self.config.acl_normalise,
            )


class VisionOnlyTask(nn.Module):
    """One step of the vision-only ablation: L_zsl alone, nothing of the language side. `metric` as in DuetTask."""

    def __init__(self, *, model: VisionOnly, vectors: ClassVectors, config: LossConfig) -> None:
        super().__init__()
        self.model = model
        self.metric = EUCLIDEAN
        self.zsl = ZslLoss(vectors, config)

    def predict(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """v (B, A), twice: this model has no other state."""
        v = self.model.attributes(hidden)
        return v, v

    def forward(self, plan: StepPlan, hidden: Tensor) -> Losses:
        """Named losses of the plan's anchors."""
        v = self.model.attributes(hidden[: plan.anchors])
        return _of_share(plan, cast(Losses, self.zsl(v, plan.label[: plan.anchors])))
