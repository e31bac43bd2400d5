"""CUB's 312 official names become 28 prompt sets by one small rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from duet_core.attributes import SchemaError
from duet_core.benchmarks import cub_attribute, read_attribute_names

COLORS = {
    *("blue", "brown", "iridescent", "purple", "rufous", "grey", "yellow", "olive", "green", "pink", "orange"),
    *("black", "white", "red", "buff"),
}
PATTERNS = {"solid", "spotted", "striped", "multi colored"}
OTHERS = {
    "bill shape": {
        *("curved", "dagger", "hooked", "needle", "hooked seabird", "spatulate", "all purpose", "cone", "specialized"),
    },
    "tail shape": {"forked", "rounded", "notched", "fan shaped", "pointed", "squared"},
    "wing shape": {"rounded", "pointed", "broad", "tapered", "long"},
    "head pattern": {
        *("spotted", "malar", "crested", "masked", "unique", "eyebrow", "eyering", "plain", "eyeline", "striped"),
        "capped",
    },
    "bill length": {"same as head", "longer than head", "shorter than head"},
    "size": {"large", "small", "very large", "medium", "very small"},
    "shape": {
        *("upright perching water like", "chicken like marsh", "long legged like", "duck like", "owl like"),
        *("gull like", "hummingbird like", "pigeon like", "tree clinging like", "hawk like", "sandpiper like"),
        *("upland ground like", "swallow like", "perching like"),
    },
    "eye color": COLORS - {"iridescent"},
}


@pytest.mark.parametrize(
    ("official", "prompt", "name"),
    [
        ("has_bill_shape::curved_(up_or_down)", "bill shape", "curved"),
        ("has_bill_shape::all-purpose", "bill shape", "all purpose"),
        ("has_tail_shape::forked_tail", "tail shape", "forked"),
        ("has_tail_shape::fan-shaped_tail", "tail shape", "fan shaped"),
        ("has_wing_shape::rounded-wings", "wing shape", "rounded"),
        ("has_head_pattern::unique_pattern", "head pattern", "unique"),
        ("has_bill_length::about_the_same_as_head", "bill length", "same as head"),
        ("has_size::very_small_(3_-_5_in)", "size", "very small"),
        ("has_upper_tail_color::grey", "upper tail color", "grey"),
    ],
)
def test_rule(official: str, prompt: str, name: str) -> None:
    assert cub_attribute(official) == (prompt, name)


def test_name_without_a_prompt_is_refused() -> None:
    with pytest.raises(SchemaError, match="got 'black'; allowed is 'has_<prompt>::<name>'"):
        cub_attribute("black")


@pytest.mark.data
def test_all_312_names(shared_data: Path) -> None:
    schema = read_attribute_names(shared_data / "CUB127" / "attributes.txt")
    assert len(schema) == 312
    assert len(schema.prompts) == 28
    for prompt, rows in zip(schema.prompts, schema.prompt_sets, strict=True):
        usual = COLORS if prompt.endswith("color") else PATTERNS
        names = [schema.attributes[row].name for row in rows]
        assert set(names) == OTHERS.get(prompt, usual), prompt
        assert len(names) == len(set(names))
    assert schema.parse(schema.sentence(range(312))).attributes == tuple(
        row for rows in schema.prompt_sets for row in rows
    )
