"""The references of commands, settings and Python as Markdown pages, from the code itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from app.settings import Settings
from duet_core.cli import COMMANDS

PYTHON: Mapping[str, tuple[str, str, Mapping[str, Sequence[str]]]] = MappingProxyType(
    {
        "client": (
            "Python client",
            "What `duet_client` offers; [Clients](../clients.md#python) shows it at work.",
            {
                "Clients": ("duet_client.DuetClient", "duet_client.AsyncDuetClient", "duet_client.Retries"),
                "What is sent": ("duet_client.NewClass", "duet_client.ClassChange"),
                "Answers": ("duet_client.answers", "duet_client.class_answers", "duet_client.model_answers"),
                "Errors": ("duet_client.errors",),
            },
        ),
        "runtime": (
            "A bundle in Python",
            "What `duet_core.runtime` offers, without torch and without a server.",
            {
                "Open and encode": (
                    "duet_core.runtime.open_bundle",
                    "duet_core.runtime.Bundle",
                    "duet_core.runtime.load_rgb",
                    "duet_core.runtime.Encoder",
                    "duet_core.runtime.Encoded",
                ),
                "Rank": (
                    "duet_core.runtime.rank",
                    "duet_core.runtime.ClassSet",
                    "duet_core.runtime.Ranking",
                    "duet_core.runtime.Prediction",
                    "duet_core.runtime.Decision",
                    "duet_core.runtime.contributions",
                ),
                "Describe": (
                    "duet_core.runtime.TextInterpreter",
                    "duet_core.runtime.Interpretation",
                    "duet_core.runtime.class_vector",
                    "duet_core.runtime.degrees_from_mapping",
                ),
                "Explain": ("duet_core.runtime.ground", "duet_core.runtime.GroundedSet"),
                "Attributes and classes": ("duet_core.attributes", "duet_core.classes"),
            },
        ),
        "recipe": (
            "Recipes",
            "Every field of a recipe (`training/configs/*.yaml`), with its default.",
            {
                "Fields": ("duet_core.config",),
            },
        ),
    }
)
"""Page -> its title, what it says first, and its sections of dotted names, which mkdocstrings fills in."""


def python_page(title: str, opening: str, sections: Mapping[str, Sequence[str]]) -> str:
    """A page of mkdocstrings' directives."""
    parts = [f"# {title}\n", f"{opening}\n"]
    for section, names in sections.items():
        parts.append(f"## {section}\n")
        parts += [f"::: {name}\n" for name in names]
    return "\n".join(parts)


def commands_page() -> str:
    """What each command of `duet` does."""
    rows = "\n".join(f"| `duet {name}` | {text} |" for name, text in COMMANDS.items())
    told = "`duet COMMAND --help` shows a command's options with their defaults."
    return f"# Commands\n\n{told}\n\n| | |\n|---|---|\n{rows}\n"


def settings_page() -> str:
    """Every setting of the service: its variable, its default, what it is for."""
    lines = ["# Settings of the service", "", "Environment variables, read once at start.", ""]
    lines += ["| variable | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.is_required() or field.default in (None, ()) else f"`{field.default}`"
        lines.append(f"| `DUET_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"
