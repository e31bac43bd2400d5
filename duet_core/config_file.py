"""Reading a recipe from YAML, with changes from the command line; mistakes are told all at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from duet_core.config import ConfigError, TrainConfig
from duet_core.type_names import type_name


def load_config(file: Path, *changes: str, fields: Mapping[str, Any] | None = None) -> TrainConfig:
    """The configuration in a YAML file.

    Args:
        file: a recipe such as ``training/configs/birds.yaml``.
        changes: further settings that win over the file's and over earlier ones; each holds one or several, separated
            by spaces: ``"optimizer.epochs=4 variant=vision_only"``, ``"run.seeds=[0]"``.
        fields: settings as values, ``{"optimizer.epochs": 4}``; they win over the file's, `changes` over them.

    Raises:
        ConfigError: what is no YAML; or all unknown fields and wrong types; or all contradictions, each by its name.
        FileNotFoundError: no such file.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no recipe {file}; the repository's own are in training/configs/")
    plain = _yaml(file.read_text(encoding="utf-8"), str(file))
    if not isinstance(plain, dict):
        raise ConfigError(f"{file}: got {type(plain).__name__}; a recipe is a mapping with a section 'data'")
    for name, value in (fields or {}).items():
        _put(plain, name, value, f"{name}={value}")
    for change in " ".join(changes).split():
        _apply(plain, change)
    mistakes = [*_unknown(plain), *_wrong_types(plain)]
    if mistakes:
        raise ConfigError(f"{file}:\n" + "\n".join(f"  {line}" for line in mistakes))
    parser = _parser()
    config: TrainConfig = parser.instantiate(parser.parse_object({"recipe": plain})).recipe
    return config


@cache
def _parser() -> ArgumentParser:
    """Reads whole recipes; made once, since a study reads many."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(TrainConfig, "recipe")
    return parser


def _yaml(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not YAML: {' '.join(str(error).split())}") from error


def _apply(plain: dict[str, Any], change: str) -> None:
    """Set one ``section.field=value`` in place; the value is YAML."""
    name, equals, value = change.partition("=")
    if not equals:
        raise ConfigError(f"--set: got {change!r}; allowed is section.field=value, such as optimizer.epochs=4")
    _put(plain, name, _yaml(value, f"--set {change}"), change)


def _put(plain: dict[str, Any], name: str, value: Any, change: str) -> None:
    """Set the field ``section.field`` in place; `change` is how it was written."""
    *sections, field = name.split(".")
    for section in sections:
        plain = plain.setdefault(section, {})
        if not isinstance(plain, dict):
            raise ConfigError(f"--set: got {change!r}, but {section} is {plain!r} and has no fields")
    plain[field] = value


def _sections() -> dict[str, Any]:
    """Section -> its fields with their types; of what is no section, such as `variant`, its type."""
    hints = get_type_hints(TrainConfig)
    return {name: get_type_hints(hint) if dataclasses.is_dataclass(hint) else hint for name, hint in hints.items()}


def _unknown(plain: dict[str, Any]) -> Iterator[str]:
    """A line for every section and field that there is not, with the nearest that there are, and for a missing root."""
    sections = _sections()
    for section, given in plain.items():
        fields = sections.get(section)
        if fields is None:
            yield f"{section}: no such section{_nearest(section, sections)}"
        elif isinstance(fields, dict) and not isinstance(given, dict):
            example = f"{section}: {{{next(iter(fields))}: …}}"
            yield f"{section}: got {given!r}; allowed is a mapping of its fields, such as {example}"
        elif isinstance(fields, dict):
            yield from (f"{section}.{f}: no such field{_nearest(f, fields)}" for f in given if f not in fields)
    if isinstance(data := plain.get("data", {}), dict) and "root" not in data:
        yield "data.root: missing; the folder of the photos, such as ../shared/data/CUB127"


def _nearest(name: Any, names: dict[str, Any]) -> str:
    """What may have been meant: the same name in another section, else similar ones, else all there are."""
    sections = {section: fields for section, fields in _sections().items() if isinstance(fields, dict)}
    near = [f"{section}.{name}" for section, fields in sections.items() if name in fields]
    near = near or get_close_matches(str(name), list(names), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(names)}"


def _wrong_types(plain: dict[str, Any]) -> Iterator[str]:
    """A line for every known field whose value is of a wrong type."""
    for section, fields in _sections().items():
        given = plain.get(section, {})
        if not isinstance(fields, dict):
            yield from _wrong_type(section, fields, given) if section in plain else ()
        elif isinstance(given, dict):
            for field, value in given.items():
                yield from _wrong_type(f"{section}.{field}", fields[field], value) if field in fields else ()


def _wrong_type(name: str, hint: Any, value: Any) -> Iterator[str]:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=hint)
    try:
        parser.parse_object({"value": value})
        wrong = value is None and NoneType not in get_args(hint)  # the parser takes null for "not given"
    except ArgumentError:
        wrong = True
    if wrong:
        yield f"{name}: got {value!r}; allowed is {type_name(hint)}"
