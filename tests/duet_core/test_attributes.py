"""The attribute schema and its sentences."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.attributes import AttributeSchema, SchemaError

SCHEMA = AttributeSchema.from_pairs(
    [
        ("wing color", "blue"),
        ("wing color", "grey"),
        ("tail shape", "forked"),
        ("wing color", "red"),
        ("eye color", "blue"),
        ("size", "very large"),
    ]
)
WORDS = st.text(alphabet="abcdefgh", min_size=1, max_size=4)
PHRASES = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)


@st.composite
def schemas(draw: st.DrawFn) -> AttributeSchema:
    return AttributeSchema.from_pairs(draw(st.lists(st.tuples(PHRASES, PHRASES), min_size=1, max_size=12, unique=True)))


def test_prompt_sets_partition_the_attributes_in_order_of_appearance() -> None:
    assert SCHEMA.prompts == ("wing color", "tail shape", "eye color", "size")
    assert SCHEMA.prompt_sets == ((0, 1, 3), (2,), (4,), (5,))
    assert SCHEMA.prompt_index == (0, 0, 1, 0, 2, 3)
    assert len(SCHEMA) == 6


def test_same_name_in_two_prompts_is_two_attributes() -> None:
    assert (SCHEMA.find("wing color: blue"), SCHEMA.find("eye color: blue")) == (0, 4)
    assert SCHEMA.attributes[0].phrase == "wing color blue"


def test_sentence_and_templates() -> None:
    assert SCHEMA.sentence([5, 3, 0]) == "wing color: blue, red | size: very large"
    assert SCHEMA.sentence([]) == ""
    assert SCHEMA.template() == "wing color: | tail shape: | eye color: | size:"
    assert SCHEMA.mask_template() == "wing color: [MASK] | tail shape: [MASK] | eye color: [MASK] | size: [MASK]"
    assert SCHEMA.mask_template("<m>").count("<m>") == 4


@pytest.mark.parametrize("row", [-1, 6])
def test_sentence_of_an_unknown_row_is_refused(row: int) -> None:
    with pytest.raises(SchemaError, match=rf"attribute rows \[{row}\] are outside 0…5"):
        SCHEMA.sentence([0, row])


@settings(max_examples=50, deadline=None)
@given(schema=schemas(), data=st.data())
def test_parse_is_the_inverse_of_sentence(schema: AttributeSchema, data: st.DataObject) -> None:
    rows = data.draw(st.sets(st.integers(0, len(schema) - 1)))
    parsed = schema.parse(schema.sentence(rows))
    assert set(parsed.attributes) == rows
    assert len(parsed.attributes) == len(rows)
    assert parsed.unknown == ()


@settings(max_examples=50, deadline=None)
@given(schema=schemas())
def test_prompt_sets_are_a_partition_and_json_keeps_all(schema: AttributeSchema) -> None:
    assert sorted(row for rows in schema.prompt_sets for row in rows) == list(range(len(schema)))
    assert AttributeSchema.from_json(schema.to_json()) == schema
    assert all(schema.find(key) == row for row, key in enumerate(schema.keys))


def test_parse_folds_spelling_and_reports_what_is_unknown() -> None:
    parsed = SCHEMA.parse(" Wing  COLOR :blue , pink,blue|| size: Very Large | crown: red ")
    assert parsed.attributes == (0, 5)
    assert parsed.unknown == ("Wing  COLOR: pink", "crown: red")


def test_empty_sentence_and_template_hold_no_attribute() -> None:
    assert SCHEMA.parse("").attributes == ()
    assert SCHEMA.parse(SCHEMA.template()).attributes == ()


def test_free_english_is_not_semi_structured() -> None:
    with pytest.raises(SchemaError, match="got 'a small bird'; allowed is 'prompt: name, name'"):
        SCHEMA.parse("size: very large | a small bird")


def test_nearest_keys_best_first() -> None:
    assert SCHEMA.nearest("wing colour: gray")[0] == "wing color: grey"
    assert len(SCHEMA.nearest("zzz", count=2)) == 2
    assert SCHEMA.find("wing colour: gray") is None


@pytest.mark.parametrize("text", ["", " ", "a:b", "a|b", "a,b", "two  spaces", " lead", "trail ", "tab\tbed"])
@pytest.mark.parametrize("place", [0, 1])
def test_texts_that_would_break_a_sentence_are_refused(text: str, place: int) -> None:
    pair = ("size", text) if place else (text, "large")
    with pytest.raises(SchemaError, match="attribute 0: got "):
        AttributeSchema.from_pairs([pair])


def test_repeated_attribute_is_refused() -> None:
    with pytest.raises(SchemaError, match="attributes 0 and 2 are both 'size: large'"):
        AttributeSchema.from_pairs([("size", "large"), ("size", "small"), ("size", "large")])
