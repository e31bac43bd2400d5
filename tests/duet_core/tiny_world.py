"""Everything a training run needs, small enough to be made in a second: photos, encoder weights, language model."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from duet_core.config import TrainConfig
from duet_core.config_file import load_config
from duet_core.experiment import Experiment
from tests.duet_core.benchmarks import tiny_xlsa17

SIZE = 32
DEGREES = np.array(
    [  # wing blue, wing grey, tail forked, size large; rows as in tiny_xlsa17.NAMES
        [90, 5, 80, 20],
        [8, 85, 10, 90],
        [75, 12, 25, 70],
        [10, 70, 90, 15],
        [15, 95, 70, 30],
        [80, 60, 15, 10],
        [95, 10, 90, 85],
    ],
    dtype=np.float64,
)
_WORDS = "wing color tail shape size bl ##ue grey fork ##ed large medium small : | ,"
_SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}


@dataclass(frozen=True)
class TinyWorld:
    """Folders of a tiny benchmark (7 classes, 4 attributes, 42 photos), encoder weights and language model."""

    folder: Path

    def plain(self) -> dict[str, Any]:
        """A recipe as it would stand in a YAML file."""
        return {
            "data": {
                "root": str(self.folder / "tiny"),
                "image_size": SIZE,
                "photo_side": SIZE + 8,
                "views": 2,
                "cache": str(self.folder / "cache"),
            },
            "vision": {
                "name": "test_efficientnet",
                "weights": str(self.folder / "encoder.safetensors"),
                "frozen_stages": 2,
                "batch_norm": True,
            },
            "language": {"name": str(self.folder / "language"), "max_tokens": 40},
            "cross_modal": {"width": 16, "heads": 2, "feed_forward": 32, "contrast_width": 8},
            "optimizer": {
                "epochs": 2,
                "batch_size": 4,
                "lr_vision": 1e-3,
                "lr_language": 1e-3,
                "lr_cross_modal": 1e-3,
                "lr_new": 1e-2,
            },
            "run": {"seeds": [0], "validation_seeds": [0], "log_every": 1},
        }

    def write_recipe(self, file: Path, **changes: Any) -> Path:
        """Write the recipe, with changes such as ``optimizer__epochs=1``, as YAML."""
        plain = self.plain()
        for name, value in changes.items():
            *sections, field = name.split("__")
            section = plain
            for part in sections:
                section = section.setdefault(part, {})
            section[field] = value
        file.write_text(yaml.safe_dump(plain))
        return file

    def config(self, **changes: Any) -> TrainConfig:
        """The recipe as a configuration, with changes as for `write_recipe`."""
        file = self.folder / f"recipe-{os.getpid()}.yaml"  # processes of one test may share the folder
        return load_config(self.write_recipe(file, **changes))

    def experiment(self, **changes: Any) -> Experiment:
        """An experiment on the CPU, with changes as for `write_recipe`."""
        return Experiment(self.config(**changes), device=torch.device("cpu"))


def with_field(config: TrainConfig, section: str, **fields: Any) -> TrainConfig:
    """The configuration with some fields of one section changed."""
    return dataclasses.replace(config, **{section: dataclasses.replace(getattr(config, section), **fields)})


def write_world(folder: Path) -> TinyWorld:
    """Make everything in `folder`."""
    fields = tiny_xlsa17.contents()
    fields["original_att"] = DEGREES.T
    fields["att"] = DEGREES.T / np.linalg.norm(DEGREES.T, axis=0)
    _write_photos(tiny_xlsa17.write(folder / "tiny", fields, photos=False) / "images")
    write_language_model(folder / "language")
    torch.manual_seed(5)
    network = timm.create_model("test_efficientnet", pretrained=False, num_classes=0)
    spread_batch_norms(network)
    save_file(network.state_dict(), folder / "encoder.safetensors")
    return TinyWorld(folder)


def _write_photos(folder: Path) -> None:
    """Photos with a pattern of their class and noise of their own; no two crops of one are alike."""
    random = np.random.default_rng(8)
    for name in tiny_xlsa17.NAMES:
        pattern = random.uniform(0, 200, (4, 5, 3))
        (folder / name).mkdir(parents=True)
        for photo in range(tiny_xlsa17.PHOTOS):
            noisy = np.clip(pattern + random.normal(25, 15, pattern.shape), 0, 255).astype(np.uint8)
            picture = Image.fromarray(noisy).resize((30 + photo, 24), Image.Resampling.BICUBIC)
            picture.save(folder / name / f"photo_{photo}.jpg", quality=95)


def spread_batch_norms(network: nn.Module) -> None:
    """Give batch norms statistics as a trained network has them: neither 0 nor 1, so that mistakes show."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and module.running_var is not None:
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)


def tokenizer(words: str = _WORDS) -> PreTrainedTokenizerFast:
    """A BERT-type tokenizer of some words; of the tiny schema's own, "blue" and "forked" have two pieces."""
    vocabulary = {piece: row for row, piece in enumerate([*_SPECIAL.values(), *words.split()])}
    backend = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = BertNormalizer()
    backend.pre_tokenizer = BertPreTokenizer()
    backend.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(mark, vocabulary[mark]) for mark in ("[CLS]", "[SEP]")]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, **{f"{kind}_token": mark for kind, mark in _SPECIAL.items()}
    )


def write_language_model(folder: Path, words: str = _WORDS) -> Path:
    """A BERT of two layers and width 32, with random weights, that knows these words, as transformers saves it."""
    torch.manual_seed(6)
    fast = tokenizer(words)
    config = BertConfig(
        vocab_size=len(fast),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.2,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
