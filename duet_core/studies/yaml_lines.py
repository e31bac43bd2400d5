"""YAML with the line of every entry, so that a mistake can be told by its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

EntryPath = tuple[str, ...]


class LinedYaml:
    """The mapping in a YAML file, the line of each of its entries, and the mistakes found so far.

    Attributes:
        plain: the content; empty when the file holds no mapping, which is a mistake.
    """

    def __init__(self, file: Path) -> None:
        """Read a file. What is no YAML at all is a mistake too."""
        self._file = file
        self._lines: dict[EntryPath, int] = {}
        self._mistakes: set[tuple[int, str]] = set()
        self.plain: dict[str, Any] = {}
        text = file.read_text(encoding="utf-8")
        try:
            content = yaml.safe_load(text)
            self._walk(yaml.compose(text, yaml.SafeLoader), ())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._mistakes.add((mark.line + 1 if mark else 1, f"not YAML: {error.problem}"))
            return
        if isinstance(content, dict):
            self.plain = content
        else:
            self._mistakes.add((1, f"got {type(content).__name__}; allowed is a mapping with title, recipe, rows"))

    def _walk(self, node: yaml.Node | None, path: EntryPath) -> None:
        """Note the line of every entry below a node; an entry that stands twice is a mistake."""
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            entry = (*path, str(key.value))
            line = key.start_mark.line + 1
            if entry in self._lines and key.value != "<<":
                self._mistakes.add((line, f"{'.'.join(entry)}: stands in line {self._lines[entry]} already"))
            self._lines[entry] = line
            self._walk(value, entry)

    def has(self, path: EntryPath) -> bool:
        """Whether the file itself has this entry, and does not only inherit it through an alias."""
        return path in self._lines

    def mistake(self, path: EntryPath, message: str) -> None:
        """Note a mistake of an entry; the nearest entry around it gives the line."""
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self._lines), ())
        self._mistakes.add((self._lines.get(known, 1), f"{'.'.join(path)}: {message}" if path else message))

    def told(self) -> str:
        """All mistakes in the order of their lines; empty when there is none."""
        return "\n".join(f"{self._file}:{line}: {message}" for line, message in sorted(self._mistakes))
