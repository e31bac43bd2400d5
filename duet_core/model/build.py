"""From a configuration to a model: the only place that knows sizes."""

from __future__ import annotations

import torch
from torch import nn

from duet_core.config import CrossModalConfig, TrainConfig, VisionConfig, expand
from duet_core.model.cross_modal import CrossModalEncoder, CrossModalLayer
from duet_core.model.duet import Duet, ImageProjection, ProjectionHead, VisionOnly
from duet_core.model.language import MaskHead, load_language_encoder
from duet_core.model.vision import VisionEncoder, load_vision_network
from duet_core.runtime.preprocess import Preprocessing


def build_vision(config: VisionConfig) -> VisionEncoder:
    """The vision encoder of a configuration, with its weights loaded and its frozen parts frozen."""
    network = load_vision_network(
        name=config.name,
        weights=None if config.weights is None else expand(config.weights),
        pretrained=config.pretrained,
        arguments=config.arguments,
        classifier=config.visual_token == "logits",
    )
    return VisionEncoder(
        network=network,
        frozen_stages=config.frozen_stages,
        visual_token=config.visual_token,
        freeze=config.freeze,
        fixed_norms=config.fixed_norms,
    )


def build_preprocessing(config: VisionConfig, vision: VisionEncoder, *, size: int) -> Preprocessing:
    """How photos are prepared for an encoder whose input has `size` pixels a side: as configured, else its own way.

    Raises ValueError for an interpolation that is not known here.
    """
    own = vision.network.pretrained_cfg
    crop_pct = own["crop_pct"] if config.crop_pct is None else config.crop_pct
    return Preprocessing(
        size=size,
        resize=int(size / crop_pct),  # rounded down, as timm does
        mean=tuple(config.mean or own["mean"]),
        std=tuple(config.std or own["std"]),
        interpolation=config.interpolation or own["interpolation"],
    )


def build_cross_modal(config: CrossModalConfig) -> CrossModalEncoder:
    """K cross-modal layers, initialised as BERT's (normal, 0.02)."""
    encoder = CrossModalEncoder(
        [
            CrossModalLayer(
                width=config.width,
                heads=config.heads,
                hidden=config.feed_forward,
                dropout=config.dropout,
                share_cross_attention=config.share_cross_attention,
            )
            for _ in range(config.layers)
        ]
    )
    for module in encoder.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
    return encoder


def build_duet(config: TrainConfig, *, attributes: int, seed: int) -> Duet:
    """The whole model for A attributes; new parts are initialised from `seed`."""
    torch.manual_seed(seed)
    vision = build_vision(config.vision)
    language = load_language_encoder(
        name=config.language.name,
        frozen_layers=config.language.frozen_layers,
        dropout=config.language.dropout,
        freeze=config.language.freeze,
    )
    width = config.cross_modal.width
    return Duet(
        vision=vision,
        language=language,
        cross_modal=build_cross_modal(config.cross_modal),
        image_projection=ImageProjection(
            features=vision.num_features, width=width, batch_norm=config.vision.batch_norm
        ),
        text_projection=nn.Identity() if language.width == width else nn.Linear(language.width, width),
        attribute_head=nn.Linear(width, attributes),
        mask_head=MaskHead(width=width, embedding_width=language.width, vocabulary=language.token_embeddings.shape[0]),
        class_contrast_head=ProjectionHead(width=attributes, hidden=width, out=config.cross_modal.contrast_width),
        attribute_contrast_head=ProjectionHead(width=width, hidden=width, out=config.cross_modal.contrast_width),
        direct_path=(_linear_path(config.vision, vision, attributes) if config.cross_modal.direct_path else None),
        visual_input=config.cross_modal.visual_input,
    )


def build_vision_only(config: TrainConfig, *, attributes: int, seed: int) -> VisionOnly:
    """The vision-only ablation for A attributes (Table 3, first row)."""
    torch.manual_seed(seed)
    vision = build_vision(config.vision)
    return VisionOnly(
        vision=vision,
        attribute_head=_linear_path(config.vision, vision, attributes),
    )


def _linear_path(config: VisionConfig, vision: VisionEncoder, attributes: int) -> ImageProjection:
    """From the encoder's state (B, F) straight to v (B, A)."""
    path = ImageProjection(features=vision.num_features, width=attributes, batch_norm=config.batch_norm)
    if config.zero_head:
        path.start_from_zero()
    return path
