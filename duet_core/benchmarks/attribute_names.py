"""CUB's official attribute names turned into the prompt sets of the attribute sentence."""

from __future__ import annotations

import re
from pathlib import Path

from duet_core.attributes import AttributeSchema, SchemaError

_REMARK = re.compile(r"\([^)]*\)")
_SEPARATORS = re.compile(r"[_\-\s]+")
_FILLERS = ("about", "the")


def cub_attribute(official: str) -> tuple[str, str]:
    """(prompt, name) of an official CUB name: ``"has_tail_shape::forked_tail"`` is ``("tail shape", "forked")``.

    The prompt is the prefix without ``has_``. The name is the suffix without its remark in parentheses, with
    spaces for underscores and dashes, and without what the prompt already says ("tail", "wings", "pattern") and
    the fillers "about the".

    Raises SchemaError when there is no ``::`` between prompt and name.
    """
    prefix, marker, suffix = official.partition("::")
    if not marker:
        raise SchemaError(f"got {official!r}; allowed is 'has_<prompt>::<name>', such as 'has_wing_color::blue'")
    prompt = _words(prefix.removeprefix("has_"))
    said = {*prompt, *(f"{word}s" for word in prompt), *_FILLERS}
    name = [word for word in _words(_REMARK.sub("", suffix)) if word not in said]
    return " ".join(prompt), " ".join(name)


def read_attribute_names(path: Path) -> AttributeSchema:
    """The schema of an ``attributes.txt`` of CUB, lines ``<number from 1> has_<prompt>::<name>``.

    Raises SchemaError when a line is not of this form or the numbers are not 1, 2, 3, …: the order of the names
    is the order of the class vectors, so a missing line would shift every attribute after it.
    """
    pairs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        given, _, official = line.strip().partition(" ")
        if given != str(number):
            raise SchemaError(f"{path.name} line {number}: got {line!r}; expected '{number} has_<prompt>::<name>'")
        pairs.append(cub_attribute(official.strip()))
    return AttributeSchema.from_pairs(pairs)


def _words(text: str) -> list[str]:
    return [word for word in _SEPARATORS.split(text) if word]
