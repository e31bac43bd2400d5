"""Sentences become degrees, with an honest account of what was understood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duet_core.attributes import AttributeSchema
from duet_core.runtime import ClassSet, Encoder, PromptError, TextInterpreter, class_vector, open_bundle, rank
from duet_core.runtime.bundle import Bundle
from duet_core.runtime.lexicon import Lexicon, fold, words_of
from duet_core.runtime.phrases import WHOLE, PhraseReader
from tests.tiny_bundle import SCHEMA, picture, write_tiny_bundle

BIRD_SCHEMA = AttributeSchema.from_pairs(
    [
        (f"{part} color", name)
        for part in ("wing", "upperparts", "underparts", "belly", "throat", "crown", "nape", "eye", "bill", "primary")
        for name in ("black", "white", "red", "grey", "brown")
    ]
    + [("head pattern", name) for name in ("crested", "eyering", "eyebrow", "plain")]
    + [("wing pattern", name) for name in ("solid", "spotted", "striped")]
    + [("bill shape", name) for name in ("hooked", "cone")]
    + [("bill length", name) for name in ("longer than head", "shorter than head")]
    + [("size", name) for name in ("small", "medium", "very small")]
    + [("shape", name) for name in ("duck like", "perching like")]
)
BIRDS = Lexicon(BIRD_SCHEMA)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny"))


@pytest.fixture(scope="module")
def interpreter(bundle: Bundle) -> TextInterpreter:
    return TextInterpreter(bundle)


def heard(text: str) -> dict[str, float]:
    """Keys a description ties directly to a part, with the weight of the reading; below 0 when denied."""
    found: dict[str, float] = {}
    for mention in PhraseReader().read(BIRDS.read(text)):
        for row, degree in mention.values.items():
            prompt = BIRD_SCHEMA.prompt_index[row]
            whole = mention.part is WHOLE and prompt in BIRDS.whole_prompts
            only = mention.part is WHOLE and len({BIRD_SCHEMA.prompt_index[r] for r in mention.values}) == 1
            if whole or only or prompt in mention.part:
                weight = degree * mention.weight * mention.part.get(prompt, 1.0)
                found[BIRD_SCHEMA.keys[row]] = -1.0 if mention.negated else round(weight, 2)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red crown", {"crown color: red": 1.0}),
        (
            "Red crown and white belly.",
            {"crown color: red": 1.0, "belly color: white": 1.0, "underparts color: white": 0.8},
        ),
        ("a black throat, nape and crown", {f"{part} color: black": 1.0 for part in ("throat", "nape", "crown")}),
        ("its throat and nape are black", {f"{part} color: black": 1.0 for part in ("throat", "nape")}),
        ("red-crowned, black-throated bird", {"crown color: red": 1.0, "throat color: black": 1.0}),
        ("gray beak", {"bill color: grey": 1.0}),
        ("eyes: red", {"eye color: red": 1.0}),
        ("a long, hooked bill", {"bill shape: hooked": 1.0, "bill length: longer than head": 1.0}),
        ("hooked", {"bill shape: hooked": 1.0}),
        ("slightly grey throat", {"throat color: grey": 0.5}),
        ("a very small bird", {"size: very small": 1.0}),
        ("tiny", {"size: very small": 1.0}),
        ("dark grey throat", {"throat color: grey": 1.0}),
        ("no eye-ring", {"head pattern: eyering": -1.0}),
        ("no wing bars and a red crown", {"wing pattern: striped": -1.0, "crown color: red": 1.0}),
        ("without a crest, red eyes", {"head pattern: crested": -1.0, "eye color: red": 1.0, "crown color": None}),
        ("a white stripe above its eyes", {"head pattern: eyebrow": 1.0}),
        ("a black bill, grey and red, a white throat", {"bill color: black": 1.0, "throat color: white": 1.0}),
        ("black wings with white wingbars, a red crown", {"wing color: black": 1.0, "wing pattern: striped": 1.0}),
        ("mostly grey throat", {"throat color: grey": 1.0}),
        ("its crown may be red", {"crown color: red": 0.6}),
        ("a throat that is rarely red", {"throat color: red": 0.3}),
        ("no red crown, black throat", {"crown color: red": -1.0, "throat color: black": 1.0}),
        ("a bill longer than its head", {"bill length: longer than head": 1.0}),
        ("smaller than a sparrow", {"size: very small": 1.0}),
        ("the size of a pigeon, a red crown", {"size: medium": 1.0, "crown color: red": 1.0}),
        ("webbed feet", {"shape: duck like": 0.5}),
    ],
)
def test_phrases_tie_values_to_parts(text: str, expected: dict[str, float | None]) -> None:
    found = heard(text)
    wanted = {key: weight for key, weight in expected.items() if weight is not None}
    assert {key: found.get(key) for key in wanted} == wanted
    aside = ("primary", "crown color", "bill color", "wing color", "upperparts color")
    extra = {key for key in found if key not in wanted and not key.startswith(aside)}
    assert not extra


def test_a_new_phrase_after_a_comma_is_not_of_the_part_before() -> None:
    found = heard("a songbird, grey or brown, a white throat with red streaks, a black bill")
    assert {key for key in found if key.startswith("throat color")} == {"throat color: white", "throat color: red"}
    assert {key for key in found if key.startswith("bill color")} == {"bill color: black"}


COLOURS = ("black", "white", "red", "grey", "brown")
PARTS = {"belly": "belly color", "throat": "throat color", "crown": "crown color", "nape": "nape color"}


@given(st.dictionaries(st.sampled_from(sorted(PARTS)), st.sampled_from(COLOURS), min_size=1), st.data())
def test_each_phrase_of_a_list_is_read_as_if_it_stood_alone(told: dict[str, str], data: st.DataObject) -> None:
    hedge, factor = data.draw(st.sampled_from([("", 1.0), ("slightly", 0.5), ("mostly", 1.0), ("perhaps", 0.5)]))
    order = data.draw(st.permutations(sorted(told)))
    found = heard(", ".join(f"a {hedge} {told[part]} {part}" for part in order))
    for part, colour in told.items():
        assert found[f"{PARTS[part]}: {colour}"] == factor
    assert {key for key in found if key.startswith(tuple(PARTS.values()))} == {
        f"{PARTS[part]}: {colour}" for part, colour in told.items()
    }


@given(st.sampled_from(sorted(PARTS)), st.sampled_from(COLOURS), st.sampled_from(["no", "without a", "not a", "lacks"]))
def test_a_denial_is_of_its_own_phrase_only(part: str, colour: str, negation: str) -> None:
    found = heard(f"{negation} {colour} {part}, a grey bill")
    assert found[f"{PARTS[part]}: {colour}"] == -1.0
    assert found["bill color: grey"] == 1.0


@given(st.sampled_from(["ears", "horns", "a tongue", "whiskers"]), st.sampled_from(COLOURS), st.sampled_from(COLOURS))
def test_parts_the_schema_does_not_have_take_their_words_along(foreign: str, theirs: str, ours: str) -> None:
    assert heard(f"a {ours} throat, {theirs} {foreign}") == {"throat color: " + ours: 1.0}
    assert heard(f"a {ours} throat, {foreign} that are {theirs}") == {"throat color: " + ours: 1.0}


def test_foreign_parts_and_lost_words_are_reported(interpreter: TextInterpreter) -> None:
    found = interpreter.interpret("a small bird with blue wings, green ears and a tongue")
    assert found.foreign_parts == ("ear", "tongue")
    assert "green" in found.words_not_used
    assert "wing color: green" not in {attribute.key for attribute in found.attributes}


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(interpreter: TextInterpreter, text: str) -> None:
    try:
        found = interpreter.interpret(text)
    except PromptError:
        return
    assert np.isfinite(found.degrees).all()
    assert 0 <= found.degrees.min() <= found.degrees.max() <= 1


def test_the_colour_of_a_marking_counts_less_than_that_of_the_part() -> None:
    found = heard("black wings with white wing bars")
    assert found["wing color: black"] == 1.0
    assert found["wing color: white"] < 0.5
    assert found["wing pattern: striped"] == 1.0


def test_no_wing_bars_denies_the_pattern() -> None:
    assert heard("no wing bars") == {"wing pattern: striped": -1.0}


@pytest.mark.parametrize(
    ("word", "folded"),
    [
        ("wings", "wing"),
        ("bellies", "belly"),
        ("patches", "patch"),
        ("grass", "grass"),
        ("iris", "iris"),
        ("its", "its"),
    ],
)
def test_plurals_fold(word: str, folded: str) -> None:
    assert fold(word) == folded


def test_words_lose_hyphens_and_possessives() -> None:
    assert words_of("The bird's Blue-grey wings;") == ("the", "bird", "blue", "grey", "wing", ";")


def test_exact_sentences_are_read_exactly(interpreter: TextInterpreter) -> None:
    found = interpreter.interpret(SCHEMA.sentence([1, 4, 6]))
    assert [attribute.key for attribute in found.attributes] == ["wing color: blue", "crown color: blue", "size: small"]
    assert {(attribute.how, attribute.confidence) for attribute in found.attributes} == {("exact", 1.0)}
    assert (found.words_not_used, found.unknown) == ((), ())


def test_unknown_keys_of_an_exact_sentence_are_reported(interpreter: TextInterpreter) -> None:
    found = interpreter.interpret("wing color: blue, blu | sise: small")
    assert [entry.key for entry in found.unknown] == ["wing color: blu", "sise: small"]
    assert found.unknown[0].nearest[0] == "wing color: blue"
    with pytest.raises(PromptError, match=r"'wing color: blu' \(nearest: wing color: blue"):
        interpreter.interpret("wing color: blu")


def test_degrees_reported_are_those_of_the_vector(interpreter: TextInterpreter) -> None:
    found = interpreter.interpret("a small bird with azure wings and no spots on its wings")
    for attribute in found.attributes:
        row = SCHEMA.find(attribute.key)
        assert row is not None
        assert attribute.degree == found.degrees[row]
    degrees = {attribute.key: attribute.degree for attribute in found.attributes}
    assert degrees["wing pattern: spotted"] == 0
    assert degrees["wing color: blue"] > 0.3


def test_words_outside_the_lexicon_go_to_the_language_model(interpreter: TextInterpreter) -> None:
    found = interpreter.interpret("sanguine wings and a green crown, zorkish")
    by_key = {attribute.key: attribute for attribute in found.attributes}
    assert by_key["wing color: red"].how == "similar"
    assert 0.65 <= by_key["wing color: red"].confidence < 1
    assert by_key["wing color: red"].phrase == "sanguine wing"
    assert by_key["crown color: green"].how == "lexical"
    assert found.words_not_used == ("zorkish",)


@pytest.mark.parametrize("prompt", ["", "   ", "word " * 401])
def test_prompts_must_have_words(interpreter: TextInterpreter, prompt: str) -> None:
    with pytest.raises(PromptError, match="1 to 400 are read"):
        interpreter.interpret(prompt)


@pytest.mark.parametrize("prompt", ["zork blub", "the and with", "no red crown", "||", ":::", "日本語", "🐦"])
def test_prompts_without_an_attribute_are_refused(interpreter: TextInterpreter, prompt: str) -> None:
    with pytest.raises(PromptError, match="no attribute was understood"):
        interpreter.interpret(prompt)


def test_a_class_registered_by_sentence_wins_on_its_picture(bundle: Bundle, interpreter: TextInterpreter) -> None:
    z = class_vector(interpreter.interpret("a small, all blue bird with a blue crown and blue wings").degrees)
    seen = bundle.classes
    classes = ClassSet(
        ids=(*seen.ids, "all-blue"),
        labels=(*seen.labels, "All Blue"),
        seen=np.append(seen.seen, False),
        z=np.vstack([seen.z, z]),
    )
    v = Encoder(bundle).encode([picture("blue")]).v[0]
    ranking = rank(v, classes, gamma=0.1, temperature=0.1, threshold=0.6)
    assert ranking.predictions[0].class_id == "all-blue"
    assert ranking.decision.accepted


@pytest.mark.data
def test_descriptions_find_their_species(shared_data: Path) -> None:
    """On the official attributes of CUB's names every word of a typical description is used."""
    from duet_core.benchmarks.attribute_names import read_attribute_names

    schema = read_attribute_names(shared_data / "CUB127" / "attributes.txt")
    matches = Lexicon(schema).read(
        "a small blackbird with a long, curved beak, yellow eyes, a brown back with white streaks and grey legs"
    )
    assert not [match.text for match in matches if match.meaning.kind == "unknown"]
    keys = {
        schema.keys[row] for mention in PhraseReader().read(Lexicon(schema).read("grey legs")) for row in mention.values
    }
    assert "leg color: grey" in keys
