"""Class attributes in CSV and YAML: the same classes from both, and every mistake with its place."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.attributes import AttributeSchema
from duet_core.benchmarks.attributes_csv import csv_text, read_csv
from duet_core.benchmarks.attributes_yaml import read_yaml, yaml_text
from duet_core.benchmarks.descriptions import ClassDescriptions, plain_name

LETTERS = st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters=":|,/\\")
WORD = st.text(LETTERS, min_size=1, max_size=6).map(plain_name)
WORDS = st.lists(WORD, min_size=1, max_size=3).map(" ".join)
CLASS = st.one_of(st.sampled_from(["no", "007", "1e3", "null", "~", "a, b", "x: y", '"q"', "# c"]), WORDS)
DEGREE = st.one_of(st.just(0.0), st.floats(2**-20, 1e6, width=32))


@st.composite
def descriptions(draw: st.DrawFn) -> ClassDescriptions:
    """Any classes that a person could describe: no empty class, no unused attribute, no twins."""
    pairs = st.tuples(WORDS, WORDS)
    keys = draw(st.lists(pairs, min_size=1, max_size=5, unique_by=lambda pair: ": ".join(pair).lower()))
    first = {prompt: row for row, (prompt, _) in reversed(list(enumerate(keys)))}
    keys.sort(key=lambda key: first[key[0]])  # YAML keeps a prompt set together
    names = draw(st.lists(CLASS.filter(lambda n: n[0] != "."), min_size=1, max_size=4, unique=True))
    row = st.lists(DEGREE, min_size=len(keys), max_size=len(keys))
    raw = np.array(draw(st.lists(row, min_size=len(names), max_size=len(names))), dtype=np.float32)
    return ClassDescriptions(schema=AttributeSchema.from_pairs(keys), names=tuple(names), raw=raw)


@given(descriptions())
@settings(deadline=None, max_examples=60)
def test_both_formats_give_back_the_same_class_table(described: ClassDescriptions) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, text, read in (("a.csv", csv_text, read_csv), ("a.yaml", yaml_text, read_yaml)):
            file = Path(folder) / name
            file.write_bytes(text(described).encode())
            again, mistakes = read(file)
            assert again is not None, mistakes
            whole = ("has no attribute", "no class has", "tells them apart")  # what a drawn table may be wrong in
            assert [str(m) for m in mistakes if not any(part in m.text for part in whole)] == []
            assert again.schema == described.schema
            assert again.names == described.names
            np.testing.assert_array_equal(again.raw, described.raw)


def csv_of(folder: Path, text: str) -> tuple[ClassDescriptions | None, list[str]]:
    (folder / "attributes.csv").write_text(text, encoding="utf-8")
    described, mistakes = read_csv(folder / "attributes.csv")
    return described, [str(mistake) for mistake in mistakes]


def yaml_of(folder: Path, text: str) -> tuple[ClassDescriptions | None, list[str]]:
    (folder / "attributes.yaml").write_text(text, encoding="utf-8")
    described, mistakes = read_yaml(folder / "attributes.yaml")
    return described, [str(mistake) for mistake in mistakes]


@pytest.mark.parametrize(
    "text",
    [
        "class,c: red,c: blue\na,x,\nb,no,yes\n",
        "\ufeffClass;c: red;c: blue\r\na;1;0\r\n\r\nb;0;1,0\r\n",
        '# a remark\n"class"\tc: red\tc: blue\t\n a \tX\tNo\t\nb\t\tyes\t\n',
    ],
)
def test_a_table_may_come_from_any_spreadsheet(tmp_path: Path, text: str) -> None:
    described, mistakes = csv_of(tmp_path, text)
    assert mistakes == []
    assert described is not None
    assert (described.names, described.schema.keys) == (("a", "b"), ("c: red", "c: blue"))
    assert described.raw.tolist() == [[1, 0], [0, 1]]


def test_yaml_takes_a_name_a_list_or_degrees(tmp_path: Path) -> None:
    head = "prompts: {c: [red, blue], s: [big]}\nclasses:\n"
    described, mistakes = yaml_of(tmp_path, f"{head}  no: {{c: red, s: [big]}}\n  007: {{C: {{red: 5e-1, blue: 1}}}}\n")
    assert mistakes == []
    assert described is not None
    assert (described.names, described.raw.tolist()) == (("no", "007"), [[1, 0, 1], [0.5, 1, 0]])


TABLE_MISTAKES = {
    "class,c: red,blue\na,1,1\nb,0,2\n": "attributes.csv:1:3: head: got 'blue'; expected 'prompt: name'",
    "class,c: red,c: Red\na,1,1\nb,0,2\n": "attributes.csv:1:3: attribute 'c: Red' is there already, at",
    "class,c: r|d\na,1\n": "attributes.csv:1:2: got 'r|d'; a prompt or name is non-empty",
    "class,c: red,c: blue\na,1,1\na,0,1\n": "attributes.csv:3:1: class 'a' is there already, at attributes.csv:2:1",
    "class,c: red,c: blue\n.a,1,1\n": "attributes.csv:2:1: class '.a': a class is named as its folder",
    "class,c: red,c: blue\na,1\n": "attributes.csv:2: got 2 cells, expected 3 as in the heads; a name with a comma",
    "class,c: red,c: blue\na,1,lots\n": "attributes.csv:2:3: 'c: blue': got 'lots'; allowed is a degree such as 0.8",
    "class,c: red,c: blue\na,1,-1\n": "attributes.csv:2:3: degree: got -1; allowed is 0 or more",
    "class,c: red,c: blue\na,1,nan\n": "attributes.csv:2:3: degree: got nan; allowed is 0 or more",
    "class,c: red,c: blue\na,x,2\nb,,3\n": "attributes.csv:2:2: yes, x or a name without a degree counts as 1, as do 0",
    "class,c: red,c: blue\na,0.5,2\nb,,3\n": "attributes.csv:3:2: class 'b': no degree for c: red; in a table",
    "class,c: red,c: blue\na,1,0\nb,2,0\n": "attributes.csv:3:1: class 'b' has the attributes of 'a' at",
    "class,c: red,c: blue\na,1,0\nb,3,\n": "attributes.csv:1:3: no class has 'c: blue'; give it to a class",
    "class,c: red\na,1\nb,0\n": "attributes.csv:3:1: class 'b' has no attribute; give it at least one",
    "kind,c: red\na,1\n": "attributes.csv:1: the heads: got 'kind,c: red'; expected 'class' and the attributes",
    "": "attributes.csv:1: the heads: got 'nothing'",
    'class,c: red\n"a\n': "attributes.csv: not a CSV table",
}


@pytest.mark.parametrize("text", TABLE_MISTAKES)
def test_mistakes_in_a_table_have_line_and_column(tmp_path: Path, text: str) -> None:
    _, mistakes = csv_of(tmp_path, text)
    assert [m for m in mistakes if m.startswith(TABLE_MISTAKES[text])], mistakes


def test_a_table_in_another_encoding_says_how_to_save_it(tmp_path: Path) -> None:
    (tmp_path / "attributes.csv").write_bytes("class,c: red\na,1\nGrünfink,1\n".encode("latin-1"))
    (mistake,) = read_csv(tmp_path / "attributes.csv")[1]
    assert str(mistake) == "attributes.csv:3: not UTF-8; in the spreadsheet choose the format 'CSV UTF-8'"


YAML_HEAD = "prompts:\n  c: [red, blue]\nclasses:\n"
YAML_MISTAKES = {
    "prompts: [": "attributes.yaml:2:1: not YAML: did not find expected node content",
    "": "attributes.yaml: no section 'prompts'",
    "- a\n": "attributes.yaml:1:1: the file: got a list; allowed is a mapping",
    YAML_HEAD + "  a: {c: red}\nclases: {}\n": "attributes.yaml:5:1: no such section 'clases'",
    YAML_HEAD + "  a: {c: red}\n  a: {c: blue}\n": "attributes.yaml:5:3: 'a' is there already, at attributes.yaml:4:3",
    YAML_HEAD + "  a: {c: rad}\n": "attributes.yaml:4:10: 'c' has no 'rad'; there are red",
    YAML_HEAD + "  a: {d: red}\n": "attributes.yaml:4:7: no prompt set 'd' under prompts; there are c",
    YAML_HEAD + "  a: {c: {red: much}}\n": "attributes.yaml:4:16: degree of 'red': got 'much'; allowed is a number",
    YAML_HEAD + "  a: {c: {red: -2}}\n": "attributes.yaml:4:16: degree: got -2; allowed is 0 or more",
    YAML_HEAD + "  a: {c: [red, red]}\n": "attributes.yaml:4:16: 'c: red' of class 'a' is there already",
    YAML_HEAD + "  a: red\n": "attributes.yaml:4:6: class 'a': got 'red'; allowed is a mapping",
    YAML_HEAD
    + "  a: {c: {red: 80}}\n  b: {c: blue}\n": "attributes.yaml:5:10: yes, x or a name without a degree counts",
    YAML_HEAD + "  a: {c: []}\n": "attributes.yaml:4:3: class 'a' has no attribute",
    YAML_HEAD + "  a: {c: red}\n": "attributes.yaml:2:12: no class has 'c: blue'",
    "prompts:\n  c: [red, red]\nclasses: {a: {c: red}}\n": "attributes.yaml:2:12: attribute 'c: red' is there already",
    "prompts:\n  c: {red: 1}\nclasses: {}\n": "attributes.yaml:2:6: attributes of 'c': got a mapping; allowed",
}


@pytest.mark.parametrize("text", YAML_MISTAKES)
def test_mistakes_in_yaml_have_line_and_column(tmp_path: Path, text: str) -> None:
    _, mistakes = yaml_of(tmp_path, text)
    assert [m for m in mistakes if m.startswith(YAML_MISTAKES[text])], mistakes


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    described, mistakes = yaml_of(
        tmp_path, YAML_HEAD + "  a: {c: rad}\n  b: {d: red}\n  .c: {c: red}\n  e: {c: blue}\n"
    )
    assert len(mistakes) == 3 + 2 + 1  # three names, two classes left bare, and red in no class
    assert described is not None
    assert described.names == ("a", "b", "e")
