"""The weights of a vision encoder: from a state dict, or from a folder as the hub has it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from torch import nn

_FILES = ("model.safetensors", "pytorch_model.bin")


def weights_file(weights: Path, name: str) -> Path:
    """The state dict that `weights` is or, in a folder as downloaded from the hub, holds.

    Raises FileNotFoundError when there is none, ValueError when the folder's config.json names another encoder.
    """
    if weights.is_file():
        return weights
    if not weights.is_dir():
        raise FileNotFoundError(
            f"vision.weights: no file {weights}; give a .safetensors state dict for {name!r}, or its folder"
        )
    file = next((weights / file for file in _FILES if (weights / file).is_file()), None)
    if file is None:
        raise FileNotFoundError(f"vision.weights: no {' or '.join(_FILES)} in {weights}; {advice(name)}")
    config = weights / "config.json"
    told: dict[str, Any] = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    wanted = name.split("/")[-1].split(".")[0]
    if "architecture" in told and told["architecture"] != wanted:
        raise ValueError(f"vision.weights: {weights} holds {told['architecture']!r}, but vision.name is {name!r}")
    return file


def load_weights(network: nn.Module, name: str, file: Path) -> None:
    """Load a state dict in timm's naming; position embeddings are resampled to the network's input size.

    Raises ValueError when it does not fit; heads that `network` lacks do not count.
    """
    state = load_file(file) if file.suffix == ".safetensors" else torch.load(file, weights_only=True)
    adapt = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    try:
        missing, unexpected = network.load_state_dict(adapt(state, network) if adapt else state, strict=False)
    except RuntimeError as error:  # tensors of another size
        raise ValueError(f"vision.weights: {file.name} does not fit {name!r}: {error}") from error
    foreign = [key for key in unexpected if not key.startswith(("classifier", "head", "fc"))]
    if missing or foreign:
        raise ValueError(
            f"vision.weights: {file.name} does not fit {name!r}: missing {missing[:3]}, unexpected {foreign[:3]}; "
            f"give the state dict of this very encoder in timm's naming: {advice(name)}"
        )


def advice(name: str) -> str:
    """Which file to fetch elsewhere and where to put it."""
    config = None if ":" in name else timm.get_pretrained_cfg(name, allow_unregistered=True)
    source = getattr(config, "hf_hub_id", None) or name.partition(":")[2] or f"timm/{name}"
    if source.endswith("/"):
        source += f"{config.architecture}.{config.tag}" if config else name
    folder = f"weights/{source.split('/')[-1]}"
    return f"put model.safetensors and config.json of {source} into a folder such as {folder}; set vision.weights to it"
