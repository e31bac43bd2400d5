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
    if config.cross_modal.visual_input != "state" and config.vision.visual_token == "logits":
        errors.append(
            "vision.visual_token: got 'logits', which patches do not have; beside cross_modal.visual_input "
            f"{config.cross_modal.visual_input!r} allowed are 'pooled' and 'cls'"
        )
    return errors
