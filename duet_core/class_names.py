"""Names of classes for people and for the API, from the names that benchmarks give them."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence


def class_label(name: str) -> str:
    """``"016.Painted_Bunting"`` -> ``"Painted Bunting"``."""
    return re.sub(r"^\d+\.", "", name).replace("_", " ").replace("+", " ").strip()


def class_id(label: str) -> str:
    """``"Painted Bunting"`` -> ``"painted-bunting"``, at most 64 characters; accents go, other scripts get a number."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:64].rstrip("-")
    return slug or f"class-{zlib.crc32(label.encode()):08x}"


def class_ids(labels: Sequence[str]) -> list[str]:
    """The id of each class; of labels that differ in accents or signs alone, the later ones end in -2, -3, …"""
    found: dict[str, None] = {}
    for label in labels:
        own, number = class_id(label), 1
        while (candidate := own if number == 1 else f"{own[:60].rstrip('-')}-{number}") in found:
            number += 1
        found[candidate] = None
    return list(found)
