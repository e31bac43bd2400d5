"""Reading a recipe from YAML, with changes from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from duet_core.config import ConfigError, TrainConfig


def load_config(file: Path, *changes: str) -> TrainConfig:
    """The configuration in a YAML file.

    Args:
        file: a recipe such as ``training/configs/birds.yaml``.
        changes: further settings that win over the file's and over earlier ones; each holds one or several, separated
            by spaces: ``"optimizer.epochs=4 variant=vision_only"``, ``"run.seeds=[0]"``.

    Raises:
        ConfigError: an unknown field, a wrong type or a contradiction, each by its name.
        FileNotFoundError: no such file.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no recipe {file}; the repository's own are in training/configs/")
    plain = yaml.safe_load(file.read_text())
    if not isinstance(plain, dict):
        raise ConfigError(f"{file}: got {type(plain).__name__}; a recipe is a mapping with a section 'data'")
    for change in " ".join(changes).split():
        _apply(plain, change)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(TrainConfig, "recipe")
    try:
        namespace = parser.parse_object({"recipe": plain})
    except ArgumentError as error:
        raise ConfigError(f"{file}: {str(error).replace('recipe.', '')}") from error
    config: TrainConfig = parser.instantiate(namespace).recipe
    return config


def _apply(plain: dict[str, Any], change: str) -> None:
    """Set one ``section.field=value`` in place; the value is YAML."""
    name, equals, value = change.partition("=")
    if not equals:
        raise ConfigError(f"--set: got {change!r}; allowed is section.field=value, such as optimizer.epochs=4")
    *sections, field = name.split(".")
    for section in sections:
        plain = plain.setdefault(section, {})
    plain[field] = yaml.safe_load(value)
