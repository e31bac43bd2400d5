"""What of a class carries over to other attributes, and what is refused because it would be another class."""

from __future__ import annotations

import numpy as np
import pytest

from duet_core.attributes import AttributeSchema
from duet_core.runtime import open_bundle
from duet_core.runtime.carrying import CannotCarry, SentenceCarrier, carried_degrees
from duet_core.runtime.text import TextInterpreter
from tests.tiny_bundle import OTHER_SCHEMA, SCHEMA, degrees, write_tiny_bundle

PRIOR = np.linspace(0.1, 0.5, len(OTHER_SCHEMA)).astype(np.float32)


def carried(given: dict[str, float], source: AttributeSchema = SCHEMA) -> dict[str, float]:
    found = carried_degrees(degrees(given, source), source=source, target=OTHER_SCHEMA, prior=PRIOR)
    return dict(zip(OTHER_SCHEMA.keys, found.tolist(), strict=True))


def test_degrees_go_by_name_and_what_nobody_could_say_is_assumed() -> None:
    got = carried({"wing color: blue": 4, "crown color: red": 2, "size: small": 1})
    said = {"wing color: blue": 1.0, "crown color: red": 0.5, "size: small": 0.25}
    for key, degree in got.items():
        row = OTHER_SCHEMA.keys.index(key)
        assert degree == pytest.approx(PRIOR[row] if key.startswith("tail") else said.get(key, 0.0)), key


def test_the_same_attributes_in_another_order_lose_nothing() -> None:
    turned = AttributeSchema.from_pairs((a.prompt, a.name) for a in reversed(SCHEMA.attributes))
    values = np.random.default_rng(0).random(len(SCHEMA)).astype(np.float32)
    got = carried_degrees(values, source=SCHEMA, target=turned, prior=np.full(len(SCHEMA), 9, dtype=np.float32))
    assert got == pytest.approx(values[::-1] / values.max())


@pytest.mark.parametrize(("pattern", "fits"), [(0.0, True), (0.1, True), (0.19, True), (0.22, False), (1.0, False)])
def test_attributes_that_are_gone_may_hardly_matter(pattern: float, fits: bool) -> None:
    """By hand: cos = sqrt(2 / (2 + pattern²)) is 0.99 at a pattern of 0.2015."""
    given = {"wing color: blue": 1, "crown color: blue": 1, "wing pattern: spotted": pattern}
    if fits:
        assert carried(given)["wing color: blue"] == 1
    else:
        with pytest.raises(CannotCarry, match="'wing pattern: spotted', unknown here"):
            carried(given)


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(CannotCarry):
        carried({"wing pattern: spotted": 1})


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> TextInterpreter:
    folder = write_tiny_bundle(tmp_path_factory.mktemp("other") / "bundle", schema=OTHER_SCHEMA)
    return TextInterpreter(open_bundle(folder))


@pytest.mark.parametrize(
    "sentence",
    [
        "a small blue bird with a red crown",
        "a small blue bird with a red crown, lovely to look at",  # meant nothing then either
        "wing color: blue | crown color: red",
        "a blue bird with long ears",  # a part that neither has
    ],
)
def test_a_sentence_is_read_as_if_it_were_written_today(reader: TextInterpreter, sentence: str) -> None:
    got = SentenceCarrier(reader).degrees(sentence, SCHEMA)
    assert got.tolist() == reader.interpret(sentence).degrees.tolist()


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("a red bird with striped wings", "'striped', which means nothing here"),
        ("wing color: blue | wing pattern: striped", "'wing pattern: striped', unknown here"),
        ("wing pattern: striped", "'wing pattern: striped', unknown here"),
        ("spotted", "no attribute was understood"),
    ],
)
def test_a_sentence_that_says_more_than_can_be_said_is_refused(
    reader: TextInterpreter, sentence: str, said: str
) -> None:
    with pytest.raises(CannotCarry, match=said):
        SentenceCarrier(reader).degrees(sentence, SCHEMA)


def test_without_the_attributes_it_was_written_for_no_word_may_stay_unused(reader: TextInterpreter) -> None:
    carrier = SentenceCarrier(reader)
    assert carrier.degrees("a small blue bird", None).any()
    with pytest.raises(CannotCarry, match="means nothing here"):
        carrier.degrees("a small blue bird, lovely to look at", None)
