"""What a picture says, read back from its SVG."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    """Every text of the picture in the order drawn, without its title."""
    return ["".join(one.itertext()).strip() for one in ElementTree.fromstring(svg).iter(f"{_SVG}text")]


def bars(svg: str, colour: str) -> list[tuple[float, float]]:
    """(left, width) in points of every rectangle filled with this colour, in the order drawn, legends among them."""
    found = []
    for path in ElementTree.fromstring(svg).iter(f"{_SVG}path"):
        corners = re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", path.get("d", ""))
        if len(corners) == 4 and f"fill: {colour}" in path.get("style", ""):
            xs = [float(x) for x, _ in corners]
            found.append((min(xs), max(xs) - min(xs)))
    return found


def marks(svg: str, colour: str) -> list[tuple[float, float]]:
    """(x, y) in points of every mark of this colour, y downwards, legends among them."""
    root, found = ElementTree.fromstring(svg), []
    for group in root.iter(f"{_SVG}g"):
        for use in group.findall(f"{_SVG}use"):
            style = use.get("style", "")
            if colour in style:
                found.append((float(use.get("x", "nan")), float(use.get("y", "nan"))))
    return found
