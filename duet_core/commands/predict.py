"""`duet predict`: the classes of photos, on the command line."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from duet_core.commands.location import bundle_folder
from duet_core.runtime import Bundle, Candidates, Encoder, Ranking, load_rgb, open_bundle, rank_calibrated
from duet_core.runtime.finder import Box


def run(
    photos: list[Path],
    *,
    bundle: Path | None = None,
    top_k: int = 5,
    candidates: Candidates = "all",
    find: bool = True,
    json: bool = False,
) -> Iterator[str]:
    """Name the class of each photo, with probability and decision.

    Args:
        photos: JPEG, PNG or WebP files.
        bundle: folder of the exported model; default DUET_BUNDLE, else models/birds.
        top_k: how many classes to show for each photo.
        candidates: which classes compete; a bundle alone holds seen classes only.
        find: look for the object first, where the bundle can.
        json: print one JSON object a photo instead of text.
    """
    opened = open_bundle(bundle_folder(bundle))
    encoder = Encoder(opened)
    for photo in photos:
        look = encoder.look(load_rgb(photo), find=find)
        v = encoder.encode_pixels(look.pixels[None]).v[0]
        ranking = rank_calibrated(opened, v, opened.classes, top_k=top_k, candidates=candidates)
        yield _as_json(photo, opened, ranking, look.box) if json else as_text(photo, ranking)


def as_text(photo: Path, ranking: Ranking) -> str:
    """A few lines for people: the decision, then the predictions."""
    lines = [str(photo), f"  {ranking.decision.reason}"]
    width = max(len(prediction.label) for prediction in ranking.predictions)
    for place, found in enumerate(ranking.predictions, start=1):
        kind = "seen" if found.seen else "unseen"
        lines.append(
            f"  {place:>2}. {found.label:<{width}}  {found.probability:>6.1%}  score {found.score:.3f}  {kind}"
        )
    return "\n".join(lines)


def _as_json(photo: Path, bundle: Bundle, ranking: Ranking, box: Box | None) -> str:
    calibration = bundle.calibration
    answer = {
        "photo": str(photo),
        **({} if box is None else {"box": asdict(box)}),
        **asdict(ranking),
        "model": {"id": bundle.model_id, "gamma": calibration.gamma, "temperature": calibration.temperature},
    }
    return json_format.dumps(answer, ensure_ascii=False)
