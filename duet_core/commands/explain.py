"""`duet explain`: what the model saw in a photo and why it named a class, as text and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray
from duet_core.commands.location import bundle_folder
from duet_core.commands.picture import draw_explanation
from duet_core.runtime import (
    Encoder,
    GroundedSet,
    Prediction,
    RankingError,
    contributions,
    ground,
    load_rgb,
    open_bundle,
    rank_calibrated,
)

_SHOWN = 8


def run(
    photo: Path,
    *,
    class_id: str | None = None,
    picture: Path | None = None,
    bundle: Path | None = None,
    find: bool = True,
) -> str:
    """Show the attributes the model saw in a photo, and what they add to a class's score.

    Args:
        photo: a JPEG, PNG or WebP file.
        class_id: the class to explain, such as painted-bunting; default the first prediction.
        picture: also draw the photo beside its attributes, into this PNG file.
        bundle: folder of the exported model; default DUET_BUNDLE, else models/birds.
        find: look for the object first, where the bundle can.
    """
    opened = open_bundle(bundle_folder(bundle))
    encoder, image = Encoder(opened), load_rgb(photo)
    look = encoder.look(image, find=find)
    encoded = encoder.encode_pixels(look.pixels[None])
    ranking = rank_calibrated(opened, encoded.v[0], opened.classes, top_k=len(opened.classes), candidates="all")
    chosen = _choose(ranking.predictions, class_id)
    row = opened.classes.row(chosen.class_id)
    assert row is not None
    grounded = ground(encoder.attribute_scores(encoded.state)[0], opened.schema)
    text = "\n".join(
        [
            f"{photo}: {chosen.label} ({'seen' if chosen.seen else 'unseen'}, probability {chosen.probability:.1%})",
            ranking.decision.reason,
            "",
            *_grounding_lines(grounded),
            "",
            *_contribution_lines(encoded.v[0], opened.classes.z[row], opened.schema),
        ]
    )
    if picture is not None:
        drawn = draw_explanation(
            image, title=chosen.label, subtitle=ranking.decision.reason, grounded=grounded, box=look.box
        )
        drawn.save(picture, format="PNG")
        text += f"\n\npicture: {picture}"
    return text


def _choose(predictions: Sequence[Prediction], class_id: str | None) -> Prediction:
    if class_id is None:
        return predictions[0]
    for prediction in predictions:
        if prediction.class_id == class_id:
            return prediction
    examples = ", ".join(prediction.class_id for prediction in predictions[:3])
    raise RankingError(f"no class {class_id!r} in the bundle; there are {len(predictions)}, for example {examples}")


def _grounding_lines(grounded: Sequence[GroundedSet]) -> list[str]:
    """One line a prompt set, its best attributes in columns."""
    prompt_width = max(len(entry.prompt) for entry in grounded)
    cells = [[f"{found.name} {found.score:.0%}" for found in entry.attributes] for entry in grounded]
    width = max(len(cell) for row in cells for cell in row)
    lines = ["What the model sees (best attributes of every prompt set)"]
    for entry, row in zip(grounded, cells, strict=True):
        lines.append(f"  {entry.prompt:<{prompt_width}}  " + "  ".join(f"{cell:<{width}}" for cell in row).rstrip())
    return lines


def _contribution_lines(v: FloatArray, z: FloatArray, schema: AttributeSchema) -> list[str]:
    """The attributes that add most to v·z, then the rest in one line, then the sum."""
    parts = contributions(v, z)
    order = np.argsort(-parts, kind="stable")
    width = max(len(schema.keys[row]) for row in order[:_SHOWN])
    lines = [f"Why: contributions to the score {parts.sum():.3f}"]
    lines += [f"  {schema.keys[row]:<{width}}  {parts[row]:+.3f}" for row in order[:_SHOWN]]
    rest = order[_SHOWN:]
    if len(rest):
        lines.append(f"  {f'{len(rest)} other attributes':<{width}}  {parts[rest].sum():+.3f}")
    return lines
