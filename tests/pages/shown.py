"""Whether a command answered as a page shows.

``…`` stands for what differs from time to time: in text for anything within a line, alone on a line for any lines; in
JSON for any value, as the last element of a list or as a key for whatever more there is. Numbers agree to 0.02.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from tests.pages.blocks import Block

ANY = "…"
TOLERANCE = 0.02
NUMBER = r"-?\d+\.\d+"


def problems(shown: Block, printed: str) -> list[str]:
    """Every place where what was printed is not what the block shows; none when they agree."""
    if shown.kind == "json":
        return list(differences(json.loads(shown.text), last_answer(printed)))
    return text_problems(shown.text, printed)


def last_answer(printed: str) -> Any:
    """The last of the JSON documents that a block printed one after the other."""
    answer, rest = None, printed.strip()
    while rest:
        answer, end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].lstrip()
    return answer


def text_problems(shown: str, printed: str) -> list[str]:
    """As `problems`, of plain text: word for word, whatever the spaces between, numbers with a point to 0.02."""
    wanted = [float(number) for number in re.findall(NUMBER, shown)]
    pattern = "".join(_line_pattern(line) for line in shown.strip().splitlines())
    found = re.fullmatch(pattern, "".join(f"{line.strip()}\n" for line in printed.strip().splitlines()))
    if found is None:
        return [f"printed:\n{printed}\nshown:\n{shown}"]
    pairs = zip(wanted, map(float, found.groups()), strict=True)
    return [f"{real}, shown {want}" for want, real in pairs if not math.isclose(want, real, abs_tol=TOLERANCE)]


def _line_pattern(line: str) -> str:
    """A line as a regular expression with one group for each number."""
    if line.strip() == ANY:
        return r"(?:[^\n]*\n)*?"
    parts = re.split(rf"({NUMBER}|{ANY}|\s+)", line.strip())
    return "".join(map(_part_pattern, parts)) + r"\n"


def _part_pattern(part: str) -> str:
    if part == ANY:
        return r"[^\n]*?"
    if part.isspace():
        return r"[^\S\n]+"
    return f"({NUMBER})" if re.fullmatch(NUMBER, part) else re.escape(part)


def differences(shown: Any, real: Any, where: str = "answer") -> Iterator[str]:
    """Every place where `real` is not what the page shows."""
    if shown == ANY:
        return
    if isinstance(shown, dict) and isinstance(real, dict):
        yield from _object_differences(shown, real, where)
    elif isinstance(shown, list) and isinstance(real, list):
        yield from _list_differences(shown, real, where)
    elif isinstance(shown, float) and isinstance(real, int | float):
        if not math.isclose(shown, real, abs_tol=TOLERANCE):
            yield f"{where}: {real}, shown {shown}"
    elif shown != real:
        yield f"{where}: {real!r}, shown {shown!r}"


def _object_differences(shown: dict[str, Any], real: dict[str, Any], where: str) -> Iterator[str]:
    wanted = shown.keys() - {ANY}
    if missing := wanted - real.keys():
        yield f"{where}: without {sorted(missing)}"
    if ANY not in shown and (more := real.keys() - wanted):
        yield f"{where}: also {sorted(more)}"
    for key in sorted(wanted & real.keys()):
        yield from differences(shown[key], real[key], f"{where}.{key}")


def _list_differences(shown: list[Any], real: list[Any], where: str) -> Iterator[str]:
    wanted = shown[:-1] if shown[-1:] == [ANY] else shown
    if len(real) < len(wanted) or (len(real) > len(wanted) and wanted is shown):
        yield f"{where}: {len(real)} elements, shown {len(wanted)}"
    for row, (one, other) in enumerate(zip(wanted, real, strict=False)):
        yield from differences(one, other, f"{where}[{row}]")
