"""The report: every section made, one page written, pictures and numbers beside it."""

from __future__ import annotations

import html
import json
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import onnxruntime

from duet_core import __version__
from duet_core.figures.material import Material, Part
from duet_core.figures.model_sections import (
    attribute_section,
    class_section,
    confusion_section,
    curve_section,
    lead,
    map_section,
)
from duet_core.figures.page import Section, page
from duet_core.figures.sheet_section import sheet_section
from duet_core.figures.statistics_section import statistics_section

SECTIONS: tuple[Callable[[Material], Part], ...] = (
    curve_section,
    sheet_section,
    class_section,
    attribute_section,
    confusion_section,
    map_section,
    statistics_section,
)


def write_report(material: Material, folder: Path) -> Iterator[str]:
    """Write index.html, figures.json and figures/*.svg, *.png into `folder`; yields a line for each section made."""
    parts = []
    for number, make in enumerate(SECTIONS, start=1):
        parts.append(make(material))
        yield f"section {number} of {len(SECTIONS)}: {parts[-1].heading}"
    pictures = folder / "figures"
    pictures.mkdir(parents=True, exist_ok=True)
    for part in parts:
        for picture in part.pictures:
            (pictures / f"{picture.name}.svg").write_text(picture.svg, encoding="utf-8")
        for name, content in part.files:
            (pictures / name).write_bytes(content)
    numbers = {"made": made(material), **{part.anchor: part.numbers for part in parts}}
    text = json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "figures.json").write_text(text + "\n", encoding="utf-8")
    sections = [Section(part.anchor, part.heading, part.body) for part in parts]
    heading = f"{material.first.model_id} on {material.first.benchmark.name}"
    written = page(title=heading, lead=lead(material), sections=[*sections, _how(material)])
    (folder / "index.html").write_text(written, encoding="utf-8")
    yield f"{folder / 'index.html'}: {len(written) / 1e6:.1f} MB, {sum(len(p.pictures) for p in parts)} pictures"


def made(material: Material) -> dict[str, object]:
    """From what, with what and how the report was made."""
    held_out = material.first
    return {
        "command": material.command,
        "bundle": material.bundle.model_id,
        "bundle_sha256": material.bundle.checksum,
        "training": material.bundle.manifest.get("training", {}).get("command"),
        "training_seed": material.bundle.manifest.get("training", {}).get("seed"),
        "calibrated_on": material.bundle.calibration.split,
        "benchmark": held_out.benchmark.name,
        "split": held_out.split.name,
        "photos": {"seen": len(held_out.seen), "unseen": len(held_out.unseen)},
        "sheet_seed": material.seed,
        "versions": {
            "duet": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "onnxruntime": onnxruntime.__version__,
            "matplotlib": mpl.__version__,
        },
    }


def _how(material: Material) -> Section:
    facts = made(material)
    versions = facts.pop("versions")
    assert isinstance(versions, dict)
    listed = {**facts, "versions": ", ".join(f"{name} {number}" for name, number in versions.items())}
    rows = "".join(
        f'<tr><th scope="row">{name.replace("_", " ")}</th><td><code>{html.escape(_plain(value))}</code></td></tr>'
        for name, value in listed.items()
        if value is not None
    )
    body = (
        "<p>All numbers of the figures lie in <code>figures.json</code> beside this page, the pictures on light paper "
        f'in the folder <code>figures</code>.</p><div class="scroll"><table><tbody>{rows}</tbody></table></div>'
    )
    return Section("made", "How this was made", body)


def _plain(value: object) -> str:
    return ", ".join(f"{name} {one:,}" for name, one in value.items()) if isinstance(value, dict) else str(value)
