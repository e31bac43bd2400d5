"""Which trained models cannot be a bundle, and why; an ablation is for the table, not for the service."""

from __future__ import annotations

from duet_core.config import ConfigError, TrainConfig


class ExportError(RuntimeError):
    """An exported model that does not compute what the trained one does; nothing was written."""


def demand_honest(config: TrainConfig) -> None:
    """Raise ConfigError for a recipe whose models have seen test photos: nothing of them is calibrated or served."""
    if config.sampling.partner_pool != "train":
        raise ConfigError(
            f"sampling.partner_pool: got {config.sampling.partner_pool!r}; allowed is 'train': a model whose partners "
            "were test photos is there to measure that fault, and for nothing else"
        )


def demand_exportable(config: TrainConfig) -> None:
    """Raise ConfigError, by the name of the field, for a recipe whose models cannot be exported."""
    demand_honest(config)
    reasons = ungroundable(config)
    if config.loss.gamma_on != "logits":
        reasons.append(
            f"loss.gamma_on: got {config.loss.gamma_on!r}; allowed is 'logits', from which the service subtracts γ"
        )
    if reasons:
        raise ConfigError("a model of this recipe cannot be exported:\n" + "\n".join(f"  {line}" for line in reasons))


def ungroundable(config: TrainConfig) -> list[str]:
    """Why Eq. 26 cannot be folded into grounding.onnx, and v into vision.onnx; empty when they can."""
    reasons = []
    if config.cross_modal.visual_input != "state":
        reasons.append(
            f"cross_modal.visual_input: got {config.cross_modal.visual_input!r}; allowed is 'state', because the image "
            "is folded as a single token"
        )
    if config.sampling.sentence == "names":
        reasons.append(
            "sampling.sentence: got 'names'; allowed are 'full' and 'prompts', because an interpretation sentence is "
            "made of prompts"
        )
    return reasons
