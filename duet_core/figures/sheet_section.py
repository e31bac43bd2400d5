"""The section of interpretation sheets."""

from __future__ import annotations

import dataclasses
import html

from duet_core.figures.material import Material, Part
from duet_core.figures.page import details, photo
from duet_core.figures.sheet_picture import sheet_columns, sheet_heading, sheet_png
from duet_core.figures.style import AMBER, Picture
from duet_core.judging.interpretation import Sheet, agreement
from duet_core.runtime import load_rgb

PHOTO_SIDE = 480
"""Longer side of the photo in a sheet's PNG, in pixels."""


def sheet_section(material: Material) -> Part:
    """Every sheet: the photo, the prompt sets, and what the class has; and how often they agree over all photos."""
    rates = agreement(material.first, material.bundle)
    parts, pictures, files = [], list[Picture](), []
    for number, sheet in enumerate(material.sheets, start=1):
        name = f"sheet-{number}"
        columns = sheet_columns(sheet, name=name)
        image = load_rgb(material.first.benchmark.image_paths[sheet.row])
        parts.append(_folded(material, sheet, columns, photo(image, alt=f"Photo {sheet.photo}"), shown=number == 1))
        image.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
        pictures += columns
        files.append((f"{name}.png", sheet_png(sheet, image)))
    numbers = {
        "chosen": _rule(material),
        "agreement": rates,
        "sheets": [dataclasses.asdict(one) for one in material.sheets],
    }
    body = _introduction(material, rates) + "".join(parts)
    return Part("sheets", "Interpretation sheets", body, tuple(pictures), tuple(files), numbers)


def _rule(material: Material) -> str:
    if material.seed is None:
        return "photos named with --photo"
    return (
        f"drawn by chance with seed {material.seed}, half from the held-out photos of seen and half from those of "
        "unseen classes; nothing the model says of a photo enters"
    )


def _introduction(material: Material, rates: dict[str, float]) -> str:
    key = "".join(
        f'<span class="key" style="background:{colour}"></span>{words}'
        for colour, words in (
            ("var(--blue)", "share of the attribute among the three best of its set (Eq. 26)"),
            (AMBER, "degree of the photo's class, 0…100 % over the class table"),
        )
    )
    return (
        "<p>What the model fills the masks with: the three best attributes of every prompt set. The tick says that "
        f"the photo's class has the attribute. Photos: {html.escape(_rule(material))}.</p><p>{key}</p>"
        "<p>Over all held-out photos the best attribute of a set is one that the class has in "
        f"{100 * rates['seen']:.1f} % (seen classes) and {100 * rates['unseen']:.1f} % (unseen); always answering the "
        f"attribute that most seen classes have gives {100 * rates['seen_most_frequent']:.1f} % and "
        f"{100 * rates['unseen_most_frequent']:.1f} %.</p>"
    )


def _folded(material: Material, sheet: Sheet, columns: list[Picture], image: str, *, shown: bool) -> str:
    count = f"best attribute agrees in {sheet.agreeing_first} of {len(sheet.sets)} prompt sets"
    source = html.escape(f"{sheet.photo} · {material.source('seen' if sheet.seen else 'unseen')}")
    drawn = "".join(f"<div>{one.inline}</div>" for one in columns)
    body = (
        f'<div class="sheet"><figure>{image}<figcaption>{count}<small>{source}</small></figcaption></figure>'
        f'<div class="columns">{drawn}</div></div>'
    )
    return details(f"{html.escape(sheet_heading(sheet))} <span>· {count}</span>", body, shown=shown)
