"""A training step that takes one anchor after the other, written after how the authors' published code goes about it.

Our own benchmark, not their code. In stage CSG each anchor and its five partners go through all encoders alone, then
all anchors once more; in stage CLS all anchors, then each of them once more with its positive; the template is read for
every image; each loss is asked for its value as soon as there is one. What it computes is what `DuetTask` computes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from duet_core.losses import attribute_contrast, class_contrast, mask_reconstruction
from duet_core.model.duet import Grounded, ImageStates
from duet_core.step_plan import Grounding, StepPlan
from duet_core.task import DuetTask


def step_loss(task: DuetTask, plan: StepPlan, images: Tensor) -> Tensor:
    """The weighted sum of a step's losses; `images` (M, *H) is the image source's batch for `plan.photos`.

    Raises ValueError for a plan without a drawn positive, or a sentence, for every anchor: the loop knows no other.
    """
    if plan.grounding is None:
        if plan.positive is None or len(plan.photos) != 2 * plan.anchors:
            raise ValueError(
                f"got {len(plan.photos)} photos for {plan.anchors} anchors; a positive has to be drawn for each: "
                "sampling.positives drawn, sampling.con_anchors null"
            )
        return _classify(task, plan, plan.positive, images)
    if len(plan.grounding.degree) != plan.anchors:
        raise ValueError(
            f"got {len(plan.grounding.degree)} masked sentences for {plan.anchors} anchors; each has to have one: "
            "sampling.csg_anchors null"
        )
    return _ground(task, plan, plan.grounding, images)


def _classify(task: DuetTask, plan: StepPlan, positive: Tensor, images: Tensor) -> Tensor:
    """Eq. 13: 3B images for B anchors."""
    anchors, config = plan.anchors, task.config
    total = _zsl(task, _beside_template(task, task.model.image_states(images[:anchors])), plan.label[:anchors])
    pairs = [
        _beside_template(task, task.model.image_states(images[[row, anchors + row]]))  # (2, A): v and v+
        for row in range(anchors)
    ]
    v = torch.cat([pair[:1] for pair in pairs] + [pair[1:] for pair in pairs])  # (2B, A), anchors first
    projected = task.model.class_contrast_head(v).float()
    with _without_autocast(v):
        contrast = class_contrast(projected, plan.label, positive, config.tau)
    contrast.item()
    return total + config.lambda_con * contrast


def _ground(task: DuetTask, plan: StepPlan, grounding: Grounding, images: Tensor) -> Tensor:
    """Eqs. 14 and 21: 7B images and sentences for B anchors."""
    anchors, config = plan.anchors, task.config
    contrasts = [
        _contrast(task, grounding, torch.cat((anchor[None], partners)), weight, images)
        for anchor, partners, weight in zip(
            grounding.acl_anchor, grounding.acl_partner, grounding.acl_weight, strict=True
        )
    ]
    states, pairs = _pairs(task, grounding, torch.arange(anchors), images)
    v = _beside_template(task, states) if config.csg_v == "template" else pairs.v
    total = _zsl(task, v, plan.label[:anchors])
    sentence, position = grounding.sentences.masked_positions()
    scores = task.model.mask_scores(pairs.text[sentence, position])
    with _without_autocast(scores):
        wanted = grounding.sentences.labels[sentence, position]
        masked = mask_reconstruction(scores.float(), wanted, sentence, grounding.degree)
    masked.item()
    total = total + config.lambda_cmr * masked
    return total + config.lambda_acl * torch.stack(contrasts).mean() if contrasts else total


def _contrast(task: DuetTask, grounding: Grounding, rows: Tensor, weight: Tensor, images: Tensor) -> Tensor:
    """L_acl of one anchor: sentences `rows` (6,), its own first."""
    _, pairs = _pairs(task, grounding, rows, images)
    hit = grounding.sentences.target_mask[rows][..., None].to(pairs.text.dtype)  # (6, T, 1)
    projected = task.model.attribute_contrast_head((pairs.text * hit).sum(dim=1) / hit.sum(dim=1)).float()  # (6, P)
    with _without_autocast(projected):
        loss = attribute_contrast(
            projected[:1],
            projected[1:2],
            projected[None, 2:],
            weight[None],
            task.config.tau,
            normalise=task.config.acl_normalise,
        )
    loss.item()
    return loss


def _pairs(task: DuetTask, grounding: Grounding, rows: Tensor, images: Tensor) -> tuple[ImageStates, Grounded]:
    """The images beside the sentences `rows`, and both sides of these pairs, through all encoders."""
    mask = grounding.sentences.attention_mask[rows]
    text = task.model.text_states(grounding.sentences.input_ids[rows], mask)
    states = task.model.image_states(images[grounding.image[rows]])
    return states, task.model.ground(states, text, mask)


def _beside_template(task: DuetTask, states: ImageStates) -> Tensor:
    """v (B, A) beside the template, which the language model reads for each of the B images."""
    count = len(states.token)
    ids, mask = (task.get_buffer(name).expand(count, -1) for name in ("template_ids", "template_mask"))
    return task.model.ground(states, task.model.text_states(ids, mask), mask).v


def _zsl(task: DuetTask, v: Tensor, label: Tensor) -> Tensor:
    losses: dict[str, Tensor] = task.zsl(v, label)
    for loss in losses.values():
        loss.item()
    return losses["loss"]


def _without_autocast(tensor: Tensor) -> torch.autocast:
    """As in `DuetTask`, whose losses are computed in float32."""
    return torch.autocast(tensor.device.type, enabled=False)
