"""Reading a study from YAML; every mistake is told at once, by line and name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from duet_core.config import ConfigError, TrainConfig
from duet_core.config_file import load_config
from duet_core.recipe import identity
from duet_core.record import METRICS
from duet_core.studies.study import FEWEST_SEEDS, Study, StudyError, StudyRow
from duet_core.studies.yaml_lines import EntryPath, LinedYaml

_STUDY_FIELDS = ("title", "recipe", "set", "seeds", "compare_with", "metric", "source", "sweep", "rows")
_ROW_FIELDS = ("label", "paper", "set")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_OWN = {"run.seeds": "seeds are the study's own: set them under `seeds`"}


def load_study(file: Path) -> Study:
    """The study in a YAML file.

    It holds ``title``; ``recipe``, a path from the working directory; ``seeds``; optionally ``set`` (changes that all
    rows share), ``compare_with`` (names of rows), ``metric`` (H unless said), ``source`` (where the paper's figures
    stand), ``sweep`` (a field); and ``rows``: name -> ``label``, ``paper`` (a figure in percent) and ``set``, each
    optional. A ``set`` maps ``section.field`` to a value.

    Raises:
        StudyError: all mistakes, each with its line.
        FileNotFoundError: no such file.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no study {file}; the repository's own are in training/studies/")
    read = LinedYaml(file)
    _check_fields(read, (), read.plain, _STUDY_FIELDS)
    rows = _rows(read)
    study = Study(
        name=file.stem,
        title=_text(read, ("title",), read.plain.get("title"), required=True),
        seeds=_seeds(read),
        rows=rows,
        compare_with=_compare_with(read),
        metric=_metric(read),
        source=_text(read, ("source",), read.plain.get("source")),
        sweep=_sweep(read),
    )
    if told := read.told():
        raise StudyError(f"the study has mistakes:\n{told}")
    return study


def _check_fields(read: LinedYaml, path: EntryPath, given: Mapping[Any, Any], allowed: tuple[str, ...]) -> None:
    for name in given:
        if name not in allowed:
            near = get_close_matches(str(name), allowed, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(allowed)}"
            read.mistake((*path, str(name)), f"no such field; {hint}")


def _text(read: LinedYaml, path: EntryPath, value: Any, *, required: bool = False) -> str:
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not value.strip():
        read.mistake(path, f"got {value!r}; allowed is a text")
        return ""
    return value


def _mapping(read: LinedYaml, path: EntryPath, value: Any) -> dict[str, Any]:
    """A mapping, which may be missing."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        read.mistake(path, f"got {value!r}; allowed is a mapping")
        return {}
    return {str(name): entry for name, entry in value.items()}


def _seeds(read: LinedYaml) -> tuple[int, ...]:
    given = read.plain.get("seeds")
    seeds = [seed for seed in given if type(seed) is int and seed >= 0] if isinstance(given, list) else []
    if not isinstance(given, list) or len(seeds) < len(given) or len(set(seeds)) < max(FEWEST_SEEDS, len(seeds)):
        read.mistake(("seeds",), f"got {given!r}; allowed are {FEWEST_SEEDS} or more different ones, such as [0, 1, 2]")
    return tuple(seeds)


def _metric(read: LinedYaml) -> str:
    given = read.plain.get("metric", "H")
    if given not in METRICS:
        read.mistake(("metric",), f"got {given!r}; allowed is one of {', '.join(METRICS)}")
    return str(given)


def _compare_with(read: LinedYaml) -> tuple[str, ...]:
    given, rows = read.plain.get("compare_with", []), read.plain.get("rows")
    names = [str(name) for name in rows] if isinstance(rows, dict) else []
    if not isinstance(given, list):
        read.mistake(("compare_with",), f"got {given!r}; allowed is a list of rows, such as [{', '.join(names[-1:])}]")
        return ()
    for name in given:
        if name not in names:
            read.mistake(("compare_with",), f"got {name!r}; there are the rows {', '.join(names)}")
    return tuple(map(str, given))


def _rows(read: LinedYaml) -> tuple[StudyRow, ...]:
    rows = _mapping(read, ("rows",), read.plain.get("rows"))
    if not rows:
        read.mistake(("rows",), "missing; allowed is a mapping such as {duet: {}}")
    recipe = Path(_text(read, ("recipe",), read.plain.get("recipe"), required=True))
    if not recipe.is_file():
        read.mistake(("recipe",), f"no file {recipe}; allowed is a path from the working directory to a recipe")
        return ()
    shared = _changes(read, ("set",), read.plain.get("set"))
    made = [row for name, given in rows.items() if (row := _row(read, name, given, recipe, shared)) is not None]
    same: dict[str, str] = {}
    for row in made:
        first = same.setdefault(identity(row.config), row.name)
        if first != row.name:
            read.mistake(("rows", row.name), f"is the same recipe as row {first}")
    return tuple(made)


def _row(read: LinedYaml, name: str, given: Any, recipe: Path, shared: dict[str, Any]) -> StudyRow | None:
    path = ("rows", name)
    if not _NAME.fullmatch(name):
        read.mistake(path, "allowed in a name are small letters, digits, '_', '-' and '.', such as without_rap")
    fields = _mapping(read, path, given)
    _check_fields(read, path, fields, _ROW_FIELDS)
    paper = fields.get("paper")
    if paper is not None and (isinstance(paper, bool) or not isinstance(paper, int | float) or not 0 <= paper <= 100):
        read.mistake((*path, "paper"), f"got {paper!r}; allowed is a figure in percent, such as 64.1")
        return None
    changes = _changes(read, (*path, "set"), fields.get("set"))
    config = _config(read, path, recipe, shared, changes)
    if config is None:
        return None
    label = _text(read, (*path, "label"), fields.get("label")) or name
    return StudyRow(name=name, label=label, changes=changes, config=config, paper=paper)


def _changes(read: LinedYaml, path: EntryPath, given: Any) -> dict[str, Any]:
    changes = _mapping(read, path, given)
    for name in [name for name in changes if name in _OWN]:
        read.mistake((*path, name), _OWN[name])
        del changes[name]
    return changes


def _config(
    read: LinedYaml, path: EntryPath, recipe: Path, shared: dict[str, Any], changes: dict[str, Any]
) -> TrainConfig | None:
    """The configuration of a row; its mistakes are noted where the field is set: in the row, or for all rows."""
    try:
        return load_config(recipe, fields=shared | changes)
    except ConfigError as error:
        lines = str(error).split("\n")
    for line in lines[1:] or lines:
        field, _, said = line.strip().partition(": ")
        if field in changes:
            read.mistake((*path, "set", field), said)
        elif field in shared:
            read.mistake(("set", field), said)
        else:
            read.mistake(path, line.strip())
    return None


def _sweep(read: LinedYaml) -> str | None:
    name = _text(read, ("sweep",), read.plain.get("sweep"))
    rows = read.plain.get("rows")
    given = [row.get("set") for row in rows.values() if isinstance(row, dict)] if isinstance(rows, dict) else []
    values = [changes[name] for changes in given if isinstance(changes, dict) and name in changes]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if name and len(numbers) < max(2, len(values)):
        read.mistake(("sweep",), f"got {name!r}; allowed is a field that two or more rows set to a number")
    elif name and len(set(numbers)) < len(numbers):
        twice = next(value for value in numbers if numbers.count(value) > 1)
        read.mistake(
            ("sweep",),
            f"got {name!r}, which several rows set to {twice}; allowed is one row a value. A row that is to be a level "
            "line takes it from the shared `set`",
        )
    return name or None
