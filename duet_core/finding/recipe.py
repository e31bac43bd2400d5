"""How a finder is made. No torch: the command shows these defaults in its help."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FinderRecipe:
    """How a finder is made; chosen on photos of validation runs (docs/results.md).

    Attributes:
        side: S, pixels a side of what the network reads.
        photo_side: pixels a side of the stretched photos that windows are cut from.
        stages: of the encoder that are kept.
        frozen: of these that do not train.
        epochs: windows drawn of every photo.
        batch_size: B.
        lr_head, lr_encoder: highest learning rates.
        weight_decay: of AdamW.
        brightness: a window's light is changed by up to this share.
    """

    side: int = 128
    photo_side: int = 192
    stages: int = 5
    frozen: int = 2
    epochs: int = 30
    batch_size: int = 32
    lr_head: float = 2e-3
    lr_encoder: float = 4e-4
    weight_decay: float = 1e-2
    brightness: float = 0.3
