"""The code blocks of a Markdown page: what is run, what it should print, and why some are not run."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"(?:<!-- not run: (?P<reason>[^>]+?) -->\n)?```(?P<kind>[^\n]*)\n(?P<text>.*?)\n```", re.DOTALL)
RUN = ("sh", "python")
SHOWN = ("json", "text")


@dataclass(frozen=True)
class Block:
    """One block: its line, its kind, its text, the targets of its make lines, the output shown under it, and why it is
    not run."""

    line: int
    kind: str
    text: str
    shown: Block | None = None
    reason: str | None = None

    @property
    def script(self) -> str:
        """What is run of it: all but the lines ``make TARGET``, since a ``make`` runs the tests."""
        if self.kind != "sh":
            return self.text
        return "\n".join(line for line in self.text.splitlines() if not line.startswith("make ") and line.strip())

    @property
    def targets(self) -> tuple[str, ...]:
        """The make targets it names."""
        made = [line.split("#")[0].split()[1:] for line in self.text.splitlines() if line.startswith("make ")]
        return tuple(word for words in made for word in words if "=" not in word)


def blocks(markdown: str) -> list[Block]:
    """Every block of a page but those that show output, which belong to the block right above them."""
    found: list[Block] = []
    fences = list(FENCE.finditer(markdown))
    shown_above = False
    for fence, after in itertools.zip_longest(fences, fences[1:]):
        if shown_above:
            shown_above = False
            continue
        shown = None
        if fence["kind"] in RUN and after and after["kind"] in SHOWN:
            shown_above = not markdown[fence.end() : after.start()].strip()
            shown = _block(markdown, after) if shown_above else None
        found.append(_block(markdown, fence, shown))
    return found


def _block(markdown: str, fence: re.Match[str], shown: Block | None = None) -> Block:
    line = markdown[: fence.start("kind")].count("\n") + 1
    return Block(line, fence["kind"], fence["text"], shown, fence["reason"])


def page_text(page: str) -> str:
    """The text of a page, named by its path in the repository."""
    return (ROOT / page).read_text(encoding="utf-8")
