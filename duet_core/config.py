"""Every choice of a training run, as documented dataclasses; contradictions are refused all at once."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from duet_core.config_switches import switch_errors


class ConfigError(ValueError):
    """All mistakes of a configuration, one a line, each by the name of its field."""


@dataclass(frozen=True)
class DataConfig:
    """Which photos, and how they reach the encoder."""

    root: str
    """Folder of the benchmark's files. ``$VARIABLES`` expand."""
    layout: Literal["xlsa17", "knowledge_graph", "folder"] = "xlsa17"
    """What lies in `root`: att_splits.mat, res101.mat, … of the official archive; these files for photos, labels and
    splits alone, with the attributes of `graph` (AWA2-KG); or photos and class attributes of your own
    (docs/own-folder.md)."""
    graph: str | None = None
    """Folder or file of the triples of layout knowledge_graph. ``$VARIABLES`` expand."""
    hops: int = 1
    """h: how many relations lie between a class and its attributes in the graph; the paper has 1."""
    class_embedding: str | None = None
    """Class vectors that replace z in layout knowledge_graph: a .npz of ``duet kg-embed``, or a .mat with one row for
    each class; None for z, the binary degrees. ``$VARIABLES`` expand."""
    images: str | None = None
    """Folder of the photos; None for ``root/images``."""
    image_size: int = 224
    """Side of the encoder's input in pixels."""
    photo_side: int = 256
    """Side of the decoded photo in the cache, from which training crops are cut; at least image_size."""
    crop_scale: tuple[float, float] = (0.6, 1.0)
    """Range of the area of a random training crop, as a share of the photo."""
    crop_ratio: tuple[float, float] = (0.75, 1.3333)
    """Range of width over height of a random training crop."""
    flip: bool = True
    """Mirror a training crop left to right half of the time."""
    views: int = 8
    """Random crops cached of each photo when the first stages of the encoder are frozen; unused otherwise."""
    cache: str = ".cache"
    """Folder of the decoded photos and of the frozen stages' output."""


@dataclass(frozen=True)
class VisionConfig:
    """ENC_vis."""

    name: str = "deit_base_distilled_patch16_224"
    """A timm model name."""
    weights: str | None = None
    """Local state dict (.safetensors or .pth); None for timm's own source. ``$VARIABLES`` expand."""
    pretrained: bool = True
    """Let timm load its pre-trained weights when `weights` is None."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Further arguments of ``timm.create_model``, for example ``{img_size: 448}``."""
    mean: tuple[float, float, float] | None = None
    """Mean of the input in 0…1 a channel; None for the encoder's own."""
    std: tuple[float, float, float] | None = None
    """Standard deviation of the input a channel; None for the encoder's own."""
    crop_pct: float | None = 1.0
    """Share of the short side that the centre crop keeps where photos are judged and served; 1 for photos that are cut
    to the object already, None for the encoder's own (timm's crop_pct, often 0.875 or 0.9)."""
    interpolation: Literal["bicubic", "bilinear"] | None = "bicubic"
    """How photos are scaled; None for the encoder's own."""
    visual_token: Literal["pooled", "cls", "logits"] = "pooled"
    """The state that stands for the image: timm's pooled state before the classifier, the first token, or, as in the
    authors' code, the class logits of the encoder's own classifier."""
    frozen_stages: int = 0
    """First entries of the encoder's `blocks` (with the stem) that are frozen and whose output is cached."""
    freeze: bool = False
    """Train nothing of the encoder."""
    fixed_norms: bool = False
    """Batch norms of the trained stages keep their pre-trained statistics, and are computed inside the convolutions
    before them, so that a step has none to compute."""
    batch_norm: bool = False
    """Standardise the encoder's state by a batch norm before it is projected."""
    zero_head: bool = False
    """Start the linear map from the encoder's state to v (variant vision_only, or cross_modal.direct_path) from 0: what
    the seen classes never ask for then adds nothing to the scores of unseen ones."""


@dataclass(frozen=True)
class LanguageConfig:
    """ENC_lan."""

    name: str = "bert-base-uncased"
    """A name or folder for transformers, or ``package:NAME/FOLDER`` for a folder inside a Python package."""
    frozen_layers: int = 0
    """First layers (with the embeddings) that do not train."""
    freeze: bool = False
    """Train nothing of the language model, whatever frozen_layers says; its dropout is off (Table 3, row 3)."""
    dropout: float | None = None
    """Dropout inside the language model while training, 0…1; None for its own. With 0 attention takes a faster path."""
    max_tokens: int = 256
    """Longest attribute sentence in word pieces; whole phrases are dropped to fit, never the masked one."""


@dataclass(frozen=True)
class CrossModalConfig:
    """ENC_cro (A.2)."""

    width: int = 768
    """D, the width of the layers."""
    heads: int = 12
    """Attention heads; must divide width."""
    layers: int = 1
    """K, each with weights of its own."""
    feed_forward: int = 3072
    """Hidden width of the feed-forward blocks."""
    dropout: float = 0.1
    """Dropout after attention and feed-forward, 0…1."""
    share_cross_attention: bool = False
    """One cross-attention for both directions, as in LXMERT."""
    direct_path: bool = False
    """Add a linear map of the encoder's state to v, beside the cross-modal layers; not in the paper."""
    contrast_width: int = 128
    """Output width of the projection heads H (Eqs. 10, 15)."""
    visual_input: Literal["state", "patches", "pooled_patches"] = "state"
    """The image's tokens: the encoder's state (the paper); state and patches, v being read off the state (Table 3, row
    1); or patches alone, v being read off their mean after the layers (row 2)."""


@dataclass(frozen=True)
class LossConfig:
    """Weights of Eqs. 13, 14 and 21 and what is inside the losses."""

    lambda_ar: float = 0.01
    """λ_ar, attribute regression (Eq. 7)."""
    lambda_sc: float = 0.001
    """λ_sc, self-calibration (Eq. 11)."""
    lambda_con: float = 0.05
    """λ_con, class-level contrast (Eqs. 9, 10)."""
    lambda_cmr: float = 5.0
    """λ_cmr, cross-modal mask reconstruction (Eq. 5)."""
    lambda_acl: float = 0.001
    """λ_acl, attribute-level contrast (Eq. 15)."""
    tau: float = 0.05
    """τ of both contrasts."""
    csg_v: Literal["sentence", "template"] = "sentence"
    """Sentence beside the image when v is predicted in stage CSG: the class's own masked sentence (the paper), or the
    template of Eq. 12, which cannot tell v the class."""
    score_for_ce: Literal["logits", "probs"] = "logits"
    """What the cross-entropy of L_cc is given: v·z (Eq. 8), or, as in the authors' code, their softmax, of which it
    takes the softmax again."""
    gamma_on: Literal["logits", "probs"] = "logits"
    """What γ is chosen on and subtracted from (Eq. 22): v·z, or, as in the authors' code, their softmax over the
    candidate classes. With "probs" a model can be judged but not served."""
    acl_normalise: bool = True
    """Compare in L_acl by cosine / τ (Eq. 10); false for plain dot products without τ, as in the authors' code."""


@dataclass(frozen=True)
class SamplingConfig:
    """Stages, masks and partners (Eqs. 2, 12-20)."""

    rho: float = 0.4
    """ρ, probability of stage CSG."""
    rap_ratio: float = 0.5
    """r, share of a class's other attributes dropped from its sentence."""
    sentence: Literal["full", "prompts", "names"] = "full"
    """What a sentence is made of: prompts and names (Eq. 1); every prompt, and no name but the target's (Table 3, row
    4); or names alone, joined by commas, so that the templates are empty (row 5)."""
    lwrs: Literal["linear", "random", "minmax", "squared", "softmax"] = "linear"
    """How the target attribute is drawn: Eq. 2, uniformly, as the authors' code does, or by the squares or the softmax
    of Eq. 2's weights (A.7)."""
    acl_candidates: Literal["eq17", "disjoint"] = "eq17"
    """Which classes may be negatives: Eqs. 16-17, or as the authors' code does."""
    class_weighting: Literal["linear", "squared", "softmax"] = "squared"
    """How c- and c+ are drawn from Sim and Dist: by their squares (Eqs. 19, 20), themselves, or their softmax (A.7)."""
    distance: Literal["manhattan", "euclidean", "cosine"] = "manhattan"
    """Dist of two classes: Eq. 18, the Euclidean one, or 1 minus the cosine of their degrees (A.7)."""
    csg_anchors: int | None = None
    """Anchors of a batch that get a sentence in stage CSG; None for all, the paper."""
    acl_anchors: int | None = None
    """Anchors among those that get partners (1 positive, 4 negatives each); None for all, the paper."""
    con_anchors: int | None = None
    """Anchors of a batch that get a positive drawn in stage CLS; None for all, the paper."""
    partner_pool: Literal["train", "train_and_test_seen"] = "train"
    """Photos that partners are drawn from. "train_and_test_seen" is a fault, here only to be measured: the authors'
    code draws one partner in five from the labelled test photos of seen classes, so that S is judged on photos trained
    on. A model trained so is neither exported nor calibrated."""
    positives: Literal["drawn", "in_batch"] = "drawn"
    """v+ of Eq. 10: a further photo drawn for each anchor, or batches made of pairs of photos of one class."""


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW and its schedule."""

    epochs: int = 30
    """Passes over the training photos."""
    batch_size: int = 50
    """Anchors in a step (of one process)."""
    accumulation: int = 1
    """Steps whose gradients are summed before the optimiser moves."""
    lr_vision: float = 3e-5
    """Peak learning rate of the vision encoder."""
    lr_language: float = 3e-5
    """Peak learning rate of the language model."""
    lr_cross_modal: float = 3e-5
    """Peak learning rate of the cross-modal layers."""
    lr_new: float = 3e-5
    """Peak learning rate of the projections and heads, which are not pre-trained either."""
    weight_decay: float = 0.01
    """Decay of weights; biases and norms are exempt."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Moments of AdamW (A.5)."""
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    """One cycle with cosine ends, for which a run needs 5 updates or more, or no change."""
    warmup: float = 0.2
    """Share of the steps over which one_cycle rises."""
    clip: float = 5.0
    """Largest norm of the gradient; 0 for no limit."""
    average: float = 0.0
    """Decay of the moving average of the weights, which is what is judged and exported (such as 0.99); 0 for none."""
    bf16: bool = True
    """bfloat16 autocast on CUDA; the CPU computes in float32."""
    bf16_on_cpu: bool = False
    """bfloat16 autocast on the CPU too."""


@dataclass(frozen=True)
class PrototypeConfig:
    """Class prototypes fitted in closed form after training (`duet_core.prototypes`); not in the paper."""

    fit: bool = False
    """Read v off the encoder's state by prototypes instead of the trained head. Training does not depend on it: the
    checkpoint of a finished run is judged either way."""
    ridge: float = 0.3
    """Ridge of the regression of class means on class vectors."""
    shrinkage: float = 10.0
    """Multiple of the mean variance within classes that is added to that of every direction."""


@dataclass(frozen=True)
class RunConfig:
    """What is repeated, judged and kept."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of the final runs."""
    validation_seeds: tuple[int, ...] = (0,)
    """Seeds of the validation runs whose mean γ is used for the final ones."""
    holdout: float = 0.2
    """Share of each training class's photos kept as pseudo test-seen in validation."""
    false_reject_rate: float = 0.05
    """Share of known birds that "none of these" may refuse wrongly, on validation."""
    checkpoint_every: int = 200
    """Steps between checkpoints."""
    log_every: int = 10
    """Steps between lines of the log."""


@dataclass(frozen=True)
class TrainConfig:
    """One training recipe."""

    data: DataConfig
    vision: VisionConfig = field(default_factory=VisionConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)
    cross_modal: CrossModalConfig = field(default_factory=CrossModalConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    prototypes: PrototypeConfig = field(default_factory=PrototypeConfig)
    run: RunConfig = field(default_factory=RunConfig)
    variant: Literal["duet", "vision_only"] = "duet"
    """The whole model, or the first row of Table 3: nothing but ENC_vis and FC under L_zsl."""

    def __post_init__(self) -> None:
        errors = [*self._data_errors(), *self._sampling_errors(), *self._range_errors(), *switch_errors(self)]
        if errors:
            raise ConfigError("the configuration contradicts itself:\n" + "\n".join(f"  {line}" for line in errors))

    def _data_errors(self) -> list[str]:
        errors = self._graph_errors()
        if self.data.photo_side < self.data.image_size:
            errors.append(
                f"data.photo_side: got {self.data.photo_side}; allowed is data.image_size ({self.data.image_size}) "
                "or more"
            )
        low, high = self.data.crop_scale
        if not 0 < low <= high <= 1:
            errors.append(
                f"data.crop_scale: got {self.data.crop_scale}; allowed is 0 < low <= high <= 1, such as [0.6, 1]"
            )
        low, high = self.data.crop_ratio
        if not 0 < low <= high:
            errors.append(
                f"data.crop_ratio: got {self.data.crop_ratio}; allowed is 0 < low <= high, such as [0.75, 1.3333]"
            )
        if self.vision.frozen_stages and self.data.views < 1:
            errors.append(
                f"data.views: got {self.data.views} beside vision.frozen_stages; allowed is 1 or more cached views"
            )
        if self.vision.crop_pct is not None and not 0 < self.vision.crop_pct <= 1:
            errors.append(f"vision.crop_pct: got {self.vision.crop_pct}; allowed is above 0 and at most 1, or null")
        if self.cross_modal.width % self.cross_modal.heads:
            errors.append(
                f"cross_modal.heads: got {self.cross_modal.heads}; it must divide cross_modal.width "
                f"{self.cross_modal.width}"
            )
        return errors

    def _graph_errors(self) -> list[str]:
        data, errors = self.data, []
        if data.layout == "knowledge_graph" and not data.graph:
            errors.append("data.graph: missing; layout knowledge_graph needs the folder or file of its triples")
        if data.layout != "knowledge_graph":
            for name in ("graph", "class_embedding"):
                if getattr(data, name) is not None:
                    errors.append(f"data.{name}: got {getattr(data, name)!r}; it needs data.layout knowledge_graph")
        if data.hops < 1:
            errors.append(f"data.hops: got {data.hops}; allowed is 1 or more")
        return errors

    def _sampling_errors(self) -> list[str]:
        errors = []
        batch, csg, acl = self.optimizer.batch_size, self.sampling.csg_anchors, self.sampling.acl_anchors
        if csg is not None and not 1 <= csg <= batch:
            errors.append(f"sampling.csg_anchors: got {csg}; allowed is 1…{batch} (optimizer.batch_size) or null")
        if acl is not None and not 0 <= acl <= (csg or batch):
            errors.append(
                f"sampling.acl_anchors: got {acl}; allowed is 0…{csg or batch} (sampling.csg_anchors) or null"
            )
        if self.sampling.con_anchors is not None and not 1 <= self.sampling.con_anchors <= batch:
            errors.append(
                f"sampling.con_anchors: got {self.sampling.con_anchors}; allowed is 1…{batch} (optimizer.batch_size) "
                "or null"
            )
        if self.sampling.con_anchors is not None and self.sampling.positives == "in_batch":
            errors.append("sampling.con_anchors: no positive is drawn with sampling.positives in_batch; leave it null")
        if self.sampling.positives == "in_batch" and batch % 2:
            errors.append(f"optimizer.batch_size: got {batch}; sampling.positives in_batch needs an even one")
        return errors

    def _range_errors(self) -> list[str]:
        unit = {
            "sampling.rho": self.sampling.rho,
            "sampling.rap_ratio": self.sampling.rap_ratio,
            "cross_modal.dropout": self.cross_modal.dropout,
            "optimizer.warmup": self.optimizer.warmup,
        }
        if self.language.dropout is not None:
            unit["language.dropout"] = self.language.dropout
        errors = [f"{name}: got {value}; allowed is 0…1" for name, value in unit.items() if not 0 <= value <= 1]
        if not 0 <= self.optimizer.average < 1:
            errors.append(f"optimizer.average: got {self.optimizer.average}; allowed is 0 to below 1, such as 0.99")
        if not 0 < self.run.holdout < 1:
            errors.append(f"run.holdout: got {self.run.holdout}; allowed is above 0 and below 1, such as 0.2")
        if not 0 <= self.run.false_reject_rate < 1:
            errors.append(
                f"run.false_reject_rate: got {self.run.false_reject_rate}; allowed is 0 to below 1, such as 0.05"
            )
        at_least_one = {
            "optimizer.epochs": self.optimizer.epochs,
            "optimizer.batch_size": self.optimizer.batch_size,
            "optimizer.accumulation": self.optimizer.accumulation,
            "cross_modal.layers": self.cross_modal.layers,
            "run.checkpoint_every": self.run.checkpoint_every,
            "run.log_every": self.run.log_every,
        }
        errors += [f"{name}: got {value}; allowed is 1 or more" for name, value in at_least_one.items() if value < 1]
        for name, value in dataclasses.asdict(self.loss).items():
            if name.startswith("lambda_") and value < 0:
                errors.append(f"loss.{name}: got {value}; allowed is 0 or more")
        if self.loss.tau <= 0:
            errors.append(f"loss.tau: got {self.loss.tau}; allowed is above 0, such as 0.05")
        above_zero = {"prototypes.ridge": self.prototypes.ridge, "prototypes.shrinkage": self.prototypes.shrinkage}
        errors += [
            f"{name}: got {value}; allowed is above 0, such as 0.3" for name, value in above_zero.items() if value <= 0
        ]
        if not self.run.seeds or not self.run.validation_seeds:
            errors.append("run.seeds and run.validation_seeds: at least one seed each, such as [0, 1, 2]")
        return errors


def expand(path: str) -> Path:
    """A configured path with ``~`` and ``$VARIABLES`` replaced."""
    return Path(os.path.expandvars(path)).expanduser()
