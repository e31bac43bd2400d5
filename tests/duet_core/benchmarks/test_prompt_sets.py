"""The prompt sets carried with the package: the numbers of Table 2, and the authors' assignment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import scipy.io

from duet_core.attributes import AttributeSchema, SchemaError
from duet_core.benchmarks import cub_attribute
from duet_core.benchmarks.official import AWA2, CUB, OFFICIAL, SUN, TABLE_2, Official
from duet_core.benchmarks.prompt_sets import official_schema, prompt_sets

ROOT = Path(__file__).resolve().parents[3]
MENDED = {
    "behaviour": "behavior",
    **{f"{kind} meterial": f"{kind} material" for kind in ("coarse", "specific", "natural")},
}
"""Prompts of the authors' files that are spelled otherwise here."""


@pytest.mark.parametrize("source", OFFICIAL, ids=lambda source: str(source.name))
def test_every_set_has_the_numbers_of_table_2_and_makes_a_schema(source: Official) -> None:
    table = prompt_sets(source.name)
    assert (str(len({prompt for prompt, _ in table.values()})), str(len(table))) == TABLE_2[source.name][:2]
    schema = official_schema(source.name, list(table))
    whole = range(len(schema))
    assert sorted(schema.parse(schema.sentence(whole)).attributes) == list(whole)
    assert all(text == text.lower() and text.isascii() for pair in table.values() for text in pair)


def test_rows_follow_the_official_names_not_the_file() -> None:
    schema = official_schema("AWA2", ["quadrapedal", "black", "flys"])
    assert schema.keys == ("limb: quadrupedal", "color: black", "behavior: flies")
    assert official_schema("SUN", ["sailing/ boating"]).keys == ("transportation function: boating",)


def test_strange_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        SchemaError, match=r"attribute 2: got 'quadrupedal', which is no attribute of AWA2; .*'quadrapedal'"
    ):
        official_schema("AWA2", ["black", "quadrupedal"])


def test_cubs_table_is_what_its_rule_gives_in_the_order_of_the_prompts() -> None:
    assert {official: cub_attribute(official) for official in prompt_sets("CUB")} == prompt_sets("CUB")


def test_the_demo_bundle_speaks_cubs_names_in_their_official_order() -> None:
    manifest = json.loads((ROOT / "models" / "birds" / "manifest.json").read_text())
    assert AttributeSchema.from_json(manifest["schema"]) == AttributeSchema.from_pairs(prompt_sets("CUB").values())


@pytest.mark.data
@pytest.mark.parametrize("source", OFFICIAL, ids=lambda source: str(source.name))
def test_assignment_is_the_authors(shared_data: Path, source: Official) -> None:
    authors = json.loads((shared_data / "prompts" / source.name / "attributeindex2prompt.json").read_text())
    names = _official_names(shared_data / "xlsa17" / source.name, source)
    assert len(names) == len(authors) == source.attributes
    schema = official_schema(source.name, names)
    ours = {str(row): attribute.prompt for row, attribute in enumerate(schema.attributes)}
    assert ours == {row: MENDED.get(prompt, prompt) for row, prompt in authors.items()}


@pytest.mark.data
def test_suns_short_names_are_the_authors_but_for_one(shared_data: Path) -> None:
    short = json.loads((shared_data / "prompts" / "SUN" / "mapping.json").read_text())
    schema = official_schema("SUN", _official_names(shared_data / "xlsa17" / "SUN", SUN))
    differ = {schema.attributes[int(row)].key: name for row, name in short.items() if _name(schema, row) != name}
    assert differ == {"horizon: far away": "far away horizon"}


def _name(schema: AttributeSchema, row: str) -> str:
    return schema.attributes[int(row)].name


def _official_names(folder: Path, source: Official) -> list[str]:
    """The names as each benchmark's own file lists them, read here without the loader."""
    if source is SUN:
        return [str(cell.item()).strip() for cell in scipy.io.loadmat(folder / "attributes.mat")["attributes"][:, 0]]
    file = folder / {CUB.name: "attributes/attributes.txt", AWA2.name: "predicates.txt"}[source.name]
    return [line.split()[1] for line in file.read_text().splitlines()]
