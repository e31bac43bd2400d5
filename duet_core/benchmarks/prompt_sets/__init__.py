"""Which official attribute belongs to which prompt set, and how the attribute sentence spells it.

One JSON file for each benchmark: prompt -> official name -> our name. docs/benchmarks.md says how each was made.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from duet_core.attributes import AttributeSchema, SchemaError


@cache
def prompt_sets(benchmark: str) -> dict[str, tuple[str, str]]:
    """Official name -> (prompt, our name) of "CUB", "SUN" or "AWA2"."""
    text = files(__package__).joinpath(f"{benchmark.lower()}.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, str]] = json.loads(text)
    return {official: (prompt, ours) for prompt, names in table.items() for official, ours in names.items()}


def official_schema(benchmark: str, names: Sequence[str]) -> AttributeSchema:
    """The schema of official attribute names in the order of the class vectors.

    Raises SchemaError for a name that the benchmark does not have, with the nearest that it has.
    """
    table = prompt_sets(benchmark)
    for row, name in enumerate(names, start=1):
        if name not in table:
            near = ", ".join(map(repr, difflib.get_close_matches(name, table, n=3, cutoff=0.0)))
            raise SchemaError(
                f"attribute {row}: got {name!r}, which is no attribute of {benchmark}; nearest are {near}"
            )
    return AttributeSchema.from_pairs(table[name] for name in names)
