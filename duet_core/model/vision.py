"""ENC_vis of Eq. 3: any timm encoder, seen as frozen first stages (trunk) and a trained rest (tail)."""

from __future__ import annotations

import difflib
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import timm
import torch
from timm.models import VisionTransformer
from torch import Tensor, nn

from duet_core.model.fixed_norm import fix_norms
from duet_core.model.hub import hub_or_cache
from duet_core.model.vision_weights import advice, load_weights, weights_file

VisualToken = Literal["pooled", "cls", "logits"]


class VisionEncoder(nn.Module):
    """A timm vision encoder that gives one state per image: its [CLS], its pooled state, or its class logits.

    Letter key: B images, S pixels a side, F features of the encoder.

    `trunk` followed by `tail` is the whole encoder. The trunk is the stem with the first `frozen_stages` entries of the
    encoder's `blocks`: its parameters never train and its batch norms keep their pre-trained statistics, so that its
    output for a photo is a constant that can be cached.

    Attributes:
        frozen_stages: number of `blocks` in the trunk; 0 for no trunk at all.
        num_features: F.
    """

    network: Any

    def __init__(
        self,
        *,
        network: nn.Module,
        frozen_stages: int,
        visual_token: VisualToken,
        freeze: bool = False,
        fixed_norms: bool = False,
    ) -> None:
        """Freeze the trunk, or the whole encoder.

        Args:
            network: a timm encoder, without its classifier unless `visual_token` is "logits".
            frozen_stages: first `blocks` that never train; above 0 for timm's EfficientNets, MobileNets and ViTs only.
            visual_token: the state that stands for the image.
            freeze: train nothing of the encoder; its batch norms and dropout stay in evaluation mode.
            fixed_norms: batch norms of what trains keep their statistics (`duet_core.model.fixed_norm`).

        Raises ValueError, by the name of the field, for what the network does not have.
        """
        super().__init__()
        self.network = network
        self.frozen_stages = frozen_stages
        self.visual_token = visual_token
        self._is_convolutional = hasattr(network, "conv_stem")
        self._check()
        self.num_features = int(self.network.num_features)
        if visual_token == "pooled":  # some convolutional encoders widen the state after pooling
            self.num_features = int(getattr(self.network, "head_hidden_size", self.num_features))
        if visual_token == "logits":
            self.num_features = int(self.network.num_classes)
        self._is_frozen, self._fixes_norms = freeze, fixed_norms
        for module in self._frozen_modules():
            module.requires_grad_(False)
        for parameter in self.trunk_parameters():
            parameter.requires_grad_(False)
        if fixed_norms:
            self._fix_norms()

    def _fix_norms(self) -> None:
        """Batch norms behind the trunk go into their convolutions; those that cannot, and the trunk's, stay as they are
        and in evaluation mode."""
        fixed = fix_norms(self.network, keep=self.trunk_modules())
        if not fixed:
            raise ValueError(
                f"vision.fixed_norms: got true, but {type(self.network).__name__} has no batch norm behind a "
                "convolution that trains; allowed is false, or an encoder such as mobilenetv2_100"
            )

    def _check(self) -> None:
        kind, stages = type(self.network).__name__, self.frozen_stages
        blocks = getattr(self.network, "blocks", None)
        is_known = self._is_convolutional or isinstance(self.network, VisionTransformer)
        if stages and (blocks is None or not is_known):
            raise ValueError(
                f"vision.frozen_stages: got {stages}, but the stages of {kind} are not known here; allowed is 0, or an "
                "encoder such as mobilenetv2_100 or deit_base_patch16_224"
            )
        if not 0 <= stages < (1 if blocks is None else len(blocks)):
            most = 0 if blocks is None else len(blocks) - 1
            raise ValueError(f"vision.frozen_stages: got {stages}; allowed is 0…{most} for {kind}")
        if self.visual_token == "cls" and not getattr(self.network, "num_prefix_tokens", 0):
            raise ValueError(
                f"vision.visual_token: got 'cls', but {kind} has no class token; allowed is 'pooled' for this encoder"
            )

        if self.visual_token == "logits" and not getattr(self.network, "num_classes", 0):
            raise ValueError(f"vision.visual_token: got 'logits', but this {kind} has no classifier")

    def trunk_modules(self) -> list[nn.Module]:
        """The frozen parts, stem first; empty when no stage is frozen."""
        if not self.frozen_stages:
            return []
        stem = ("conv_stem", "bn1") if self._is_convolutional else ("patch_embed", "norm_pre")
        return [getattr(self.network, name) for name in stem if hasattr(self.network, name)] + list(
            self.network.blocks[: self.frozen_stages]
        )

    def trunk_parameters(self) -> list[nn.Parameter]:
        """Frozen parameters outside `trunk_modules`: a ViT's class token and position embeddings, added in its stem."""
        return list(self.network.parameters(recurse=False)) if self.frozen_stages else []

    def train(self, mode: bool = True) -> VisionEncoder:
        """Set the training mode of what trains; what is frozen stays in evaluation mode."""
        super().train(mode)
        if mode:
            for module in (*self._frozen_modules(), *self._fixed_norms()):
                module.train(False)
        return self

    def _frozen_modules(self) -> list[nn.Module]:
        return [self.network] if self._is_frozen else self.trunk_modules()

    def _fixed_norms(self) -> list[nn.Module]:
        """Batch norms whose statistics stay while their weights train."""
        if not self._fixes_norms:
            return []
        return [part for part in self.network.modules() if isinstance(part, nn.BatchNorm2d)]

    def trunk(self, pixels: Tensor) -> Tensor:
        """Run the frozen first stages on normalised pixels (B, 3, S, S); returns their output (B, *H).

        The identity when no stage is frozen.
        """
        if not self.frozen_stages:
            return pixels
        if self._is_convolutional:
            hidden: Tensor = self.network.bn1(self.network.conv_stem(pixels))
        else:
            hidden = self.network.norm_pre(self.network._pos_embed(self.network.patch_embed(pixels)))
        for block in self.network.blocks[: self.frozen_stages]:
            hidden = block(hidden)
        return hidden

    def tail(self, hidden: Tensor) -> Tensor:
        """Run the rest on the trunk's output (B, *H); returns image states (B, F)."""
        return self._state(self._features(hidden))

    def tail_with_patches(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Image states (B, F) as `tail` gives them, and the states of all P patches (B, P, F).

        The patches of a transformer are its tokens after the prefix tokens; those of a convolutional encoder the cells
        of its last feature map, row by row, each put through the head as an image of one cell. Where the head is a mean
        over the cells, as in MobileNetV2, the mean of the patches is the pooled state.
        """
        features = self._features(hidden)
        return self._state(features), self._patches(features)

    def _patches(self, features: Tensor) -> Tensor:
        if features.ndim == 3:  # (B, tokens, F)
            patches = features[:, int(getattr(self.network, "num_prefix_tokens", 0)) :]
            norm = getattr(self.network, "fc_norm", None)
            return patches if norm is None or self.visual_token == "cls" else norm(patches)
        if str(getattr(self.network, "output_fmt", "NCHW")) == "NHWC":  # Swin
            features = features.permute(0, 3, 1, 2)
            cells = features.flatten(2).transpose(1, 2)[..., None, None, :]  # (B, P, 1, 1, C)
        else:
            cells = features.flatten(2).transpose(1, 2)[..., None, None]  # (B, P, C, 1, 1)
        heads: Tensor = self.network.forward_head(cells.flatten(0, 1), pre_logits=True)  # (B * P, F)
        return torch.unflatten(heads, 0, cells.shape[:2])

    def _features(self, hidden: Tensor) -> Tensor:
        whole = self._tail_features if self.frozen_stages else self.network.forward_features
        features: Tensor = whole(hidden)
        return features

    def _state(self, features: Tensor) -> Tensor:
        if self.visual_token == "cls":
            return features[:, 0]
        has_logits = self.visual_token == "logits"
        return self.network.forward_head(features, pre_logits=not has_logits)  # type: ignore[no-any-return]

    def _tail_features(self, hidden: Tensor) -> Tensor:
        """What timm's `forward_features` would return, from the trunk's output."""
        for block in self.network.blocks[self.frozen_stages :]:
            hidden = block(hidden)
        if not self._is_convolutional:
            features: Tensor = self.network.norm(hidden)
            return features
        if hasattr(self.network, "bn2"):  # EfficientNet and MobileNetV2; in MobileNetV3 the head follows the pooling
            hidden = self.network.bn2(self.network.conv_head(hidden))
        return hidden

    def forward(self, pixels: Tensor) -> Tensor:
        """Image states (B, F) of normalised pixels (B, 3, S, S)."""
        return self.tail(self.trunk(pixels))


def load_vision_network(
    *,
    name: str,
    weights: Path | None,
    pretrained: bool,
    arguments: dict[str, Any] | None = None,
    classifier: bool = False,
) -> nn.Module:
    """Create the timm encoder `name`, without its classifier unless asked for, and load its weights.

    Args:
        name: timm model name, for example ``"mobilenetv2_100"`` or ``"deit_base_distilled_patch16_224"``.
        weights: a local ``.safetensors`` or ``.pth`` state dict, or a folder as the hub has it, with
            ``model.safetensors``; None for timm's own source.
        pretrained: let timm fetch or find the pre-trained weights; ignored when `weights` is given.
        arguments: further arguments of ``timm.create_model``, for example ``{"img_size": 448}``.
        classifier: keep the classifier, of as many classes as `name` was trained on.

    Raises:
        FileNotFoundError: `weights` does not exist or holds none.
        RuntimeError: timm cannot reach the weights; the message says which file to put where.
        ValueError: timm has no such model, or the state dict does not fit it.
    """
    if ":" not in name and not timm.is_model(name):  # with a colon it names a source, such as hf-hub:…
        near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.0)
        raise ValueError(f"vision.name: got {name!r}, which timm does not have; the nearest are {', '.join(near)}")
    settings = {**({} if classifier else {"num_classes": 0}), **(arguments or {})}
    if weights is not None:
        file = weights_file(weights, name)
        network: nn.Module = timm.create_model(name, pretrained=False, **settings)
        load_weights(network, name, file)
        return network
    try:
        with hub_or_cache() if pretrained else nullcontext():
            return timm.create_model(name, pretrained=pretrained, **settings)
    except OSError as error:
        raise RuntimeError(
            f"the weights of {name!r} cannot be fetched here ({type(error).__name__}); {advice(name)}"
        ) from error
