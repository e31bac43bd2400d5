"""Which ablations, variants and authors' switches contradict each other; each is refused by the name of its field."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duet_core.config import TrainConfig


def switch_errors(config: TrainConfig) -> list[str]:
    """One line for each switch that would change nothing, or cannot be, beside the others."""
    errors = []
    if config.cross_modal.visual_input != "state" and config.variant == "vision_only":
        errors.append(
            f"cross_modal.visual_input: got {config.cross_modal.visual_input!r} beside variant vision_only, which has "
            "no cross-modal layers; leave it at state"
        )
    if config.sampling.partner_pool != "train" and config.variant == "vision_only":
        errors.append(
            f"sampling.partner_pool: got {config.sampling.partner_pool!r} beside variant vision_only, which has no "
            "partners; leave it at train"
        )
    draws = config.loss.lambda_acl or (config.loss.lambda_con and config.sampling.positives == "drawn")
    if config.sampling.partner_pool != "train" and config.variant == "duet" and not draws:
        errors.append(
            f"sampling.partner_pool: got {config.sampling.partner_pool!r}, but no partner is drawn without "
            "loss.lambda_acl and a drawn positive of L_con; leave it at train"
        )
    if config.vision.zero_head and config.variant == "duet" and not config.cross_modal.direct_path:
        errors.append(
            "vision.zero_head: got true, but variant duet has no linear map from the encoder's state to v; leave it at "
            "false, or set cross_modal.direct_path"
        )
    if config.vision.fixed_norms and config.vision.freeze:
        errors.append("vision.fixed_norms: got true beside vision.freeze, which fixes them already; leave it at false")
    if config.prototypes.fit and config.loss.gamma_on != "logits":
        errors.append(
            f"loss.gamma_on: got {config.loss.gamma_on!r} beside prototypes.fit, whose scores are no logits of the "
            "authors' code; leave it at 'logits'"
        )
    if config.optimizer.bf16_on_cpu and not config.optimizer.bf16:
        errors.append("optimizer.bf16_on_cpu: got true beside optimizer.bf16 false; allowed is false, or true for both")
    if not config.loss.acl_normalise and not config.loss.lambda_acl:
        errors.append(
            "loss.acl_normalise: got false beside loss.lambda_acl 0, which leaves L_acl out; leave it at true"
        )
    if config.cross_modal.visual_input != "state" and config.vision.visual_token == "logits":
        errors.append(
            "vision.visual_token: got 'logits', which patches do not have; beside cross_modal.visual_input "
            f"{config.cross_modal.visual_input!r} allowed are 'pooled' and 'cls'"
        )
    return errors
