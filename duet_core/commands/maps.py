"""`duet maps`: do heat maps point at the bird? Judged with the box of whole photos, against the centre."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from duet_core.benchmarks import load_xlsa17
from duet_core.commands.location import bundle_folder
from duet_core.judging.photos import whole_photos
from duet_core.judging.pointing import centre, occlusion_mapper, off_centre, play, seen_photos
from duet_core.runtime import Encoder, open_bundle
from duet_core.runtime.heat_map import Occlusion

_OTHERS = (Occlusion(patch=1 / 4, steps=7), Occlusion(patch=1 / 3, steps=7), Occlusion(patch=1 / 2, steps=5))


def run(
    data: Path, whole: Path, *, bundle: Path | None = None, photos: int = 240, others: bool = False
) -> Iterator[str]:
    """Play the pointing game with the maps of the service on half of the classes, and on the other half.

    The box is where the benchmark's crop of the same name lies in the whole photo, found by matching. Photos that the
    bird fills (more than 60 % of the square) are left out. In whole photos the centre is nearly always right, so
    windows of the photos in which the bird is off centre are judged too. What is to be chosen (the patch) may be chosen
    on the first half of the classes only.

    Args:
        data: folder of the benchmark, in the xlsa17 layout.
        whole: folder of whole photos, <class>/<photo>.jpg.
        bundle: folder of the exported model; default DUET_BUNDLE, else models/birds.
        photos: whole photos to use, evenly from the classes.
        others: also try the patches that were not chosen, on the first half.
    """
    opened, benchmark = open_bundle(bundle_folder(bundle)), load_xlsa17(data)
    encoder = Encoder(opened)
    found = list(whole_photos(whole, benchmark, photos))
    classes = sorted({photo.class_name for photo in found})
    moved = [window for photo in found if (window := off_centre(photo)) is not None]
    yield f"{len(found)} of about {photos} photos have a box that is believed, {len(moved)} room beside the bird"
    mappers = {"centre": centre, _name(Occlusion()): occlusion_mapper(encoder, Occlusion())}
    more = {_name(one): occlusion_mapper(encoder, one) for one in _OTHERS} if others else {}
    for what, pictures in (("whole photos", found), ("windows with the bird off centre", moved)):
        seen = seen_photos(pictures, encoder, opened.preprocessing)
        for use, chosen, tried in (
            ("chosen on", classes[::2], mappers | more),
            ("reported on", classes[1::2], mappers),
        ):
            part = [photo for photo in seen if photo.class_name in chosen]
            yield f"\n{use} {what}: {len(chosen)} classes, first prediction of {opened.model_id}"
            yield play(part, tried, opened, encoder)


def _name(occlusion: Occlusion) -> str:
    return f"occlusion, patch 1/{1 / occlusion.patch:.0f}, {occlusion.steps} x {occlusion.steps}"
