"""`duet classify`: the classes of photos, as a running service sees them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from duet_core.commands.remote import connect
from duet_core.runtime import Candidates

if TYPE_CHECKING:
    from duet_client import Classification


def run(
    photos: list[Path],
    *,
    server: str | None = None,
    key: str | None = None,
    space: str = "default",
    top_k: int = 5,
    candidates: Candidates = "all",
    json: bool = False,
) -> Iterator[str]:
    """Name the class of each photo, asking a running service, with probability and decision.

    Args:
        photos: JPEG, PNG or WebP files.
        server: address of the service; default DUET_SERVER, else http://localhost:8000.
        key: API key, where the service asks for one; better kept in DUET_KEY than typed.
        space: the class space.
        top_k: how many classes to show for each photo.
        candidates: which classes compete.
        json: print the service's answer, one JSON object a photo, instead of text.
    """
    with connect(server, key) as duet:
        for photo in photos:
            answer = duet.classify(photo, top_k=top_k, candidates=candidates, space=space)
            yield answer.model_dump_json() if json else _as_text(photo, answer)


def _as_text(photo: Path, answer: Classification) -> str:
    lines = [str(photo), f"  {answer.decision.reason}"]
    width = max(len(prediction.label) for prediction in answer.predictions)
    for place, found in enumerate(answer.predictions, start=1):
        kind = "seen" if found.seen else "unseen"
        lines.append(f"  {place}. {found.label:<{width}}  {found.probability:6.1%}  {kind}, {found.class_id}")
    return "\n".join(lines)
