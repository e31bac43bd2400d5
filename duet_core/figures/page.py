"""One HTML page that needs nothing else: its style, its table of contents, its figures with captions."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from duet_core.figures.style import Picture

_STYLE = Path(__file__).with_name("report.css")


Cell = str | float | None
"""What stands in a table: text, a number, or nothing."""


@dataclass(frozen=True)
class Section:
    """One part of the page: an anchor, a heading, and HTML below it."""

    anchor: str
    heading: str
    body: str


def page(*, title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole page. `lead` is HTML between the title and the first section; `title` is text."""
    entries = "".join(f'<li><a href="#{one.anchor}">{html.escape(one.heading)}</a></li>' for one in sections)
    parts = "".join(
        f'<section id="{one.anchor}" aria-labelledby="{one.anchor}-heading">'
        f'<h2 id="{one.anchor}-heading">{html.escape(one.heading)}</h2>{one.body}</section>\n'
        for one in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{_STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n"
        f'<nav aria-label="Contents"><p>Contents</p><ol>{entries}</ol></nav>\n'
        f"<main>\n<header><h1>{html.escape(title)}</h1>\n{lead}</header>\n{parts}</main>\n</body>\n</html>\n"
    )


def figure(picture: Picture, *, caption: str, source: str, wide: bool = False) -> str:
    """A picture with its caption (HTML) and a line (text) that says what it was made from."""
    kind = ' class="wide"' if wide else ""
    return (
        f'<figure id="figure-{picture.name}"{kind}><div class="scroll">{picture.inline}</div>'
        f"<figcaption>{caption}<small>{html.escape(source)}</small></figcaption></figure>\n"
    )


def figures(*parts: str) -> str:
    """Figures beside one another where there is room."""
    return f'<div class="figures">{"".join(parts)}</div>\n'


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], *, caption: str, digits: int = 1) -> str:
    """A table; numbers are at the right with `digits` decimals, whole ones with none, None is a dash."""
    cells = "".join(f'<th scope="col">{html.escape(one)}</th>' for one in head)
    lines = "".join(f"<tr>{''.join(_cell(value, digits) for value in row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><caption><span>{caption}</span></caption><thead><tr>{cells}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>\n"
    )


def photo(image: Image.Image, *, alt: str, side: int = 300) -> str:
    """A photo inside the page, its longer side at most `side` pixels."""
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, format="JPEG", quality=85)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    size = f'width="{small.width}" height="{small.height}"'
    return f'<img src="data:image/jpeg;base64,{data}" {size} alt="{html.escape(alt)}">'


def details(summary: str, body: str, *, shown: bool = False) -> str:
    """A part that can be folded away. `summary` and `body` are HTML."""
    return f"<details{' open' if shown else ''}><summary>{summary}</summary>{body}</details>\n"


def _cell(value: Cell, digits: int) -> str:
    if isinstance(value, str):
        return f"<td>{html.escape(value)}</td>"
    text = "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"
    return f'<td class="number">{text}</td>'
