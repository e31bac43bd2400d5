"""Files of classes: written and read again without a change, and every bad line named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duet_client import NewClass, read_rows, write_rows

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=30)
NUMBER = st.floats(0, 1)
CLASSES = st.lists(
    st.one_of(
        st.builds(NewClass, id=TEXT, label=TEXT, prompt=TEXT),
        st.builds(NewClass, id=TEXT, label=TEXT, attributes=st.dictionaries(TEXT, NUMBER)),
        st.builds(NewClass, id=TEXT, label=TEXT, attributes=st.lists(NUMBER)),
    ),
    max_size=5,
)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@given(classes=CLASSES)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, classes: list[NewClass]
) -> None:
    path = tmp_path_factory.mktemp("rows") / f"classes{suffix}"
    assert write_rows(path, classes) == len(classes)
    assert [row.new for row in read_rows(path)] == classes
    assert list(path.parent.iterdir()) == [path]


def test_an_export_that_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "classes.jsonl"
    path.write_text("old")

    def broken() -> list[NewClass]:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_rows(path, (new for _ in range(1) for new in broken()))
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


JSON_LINES = """{"id": "a", "label": "A", "prompt": "red"}

{"id": "b"}
nonsense
{"id": "c", "label": "C", "attributes": {"size: small": true}}
{"id": "d", "label": "D", "colour": "red"}
{"id": "e", "label": "E", "attributes": [1, 0.5]}
"""
CSV = """id,label,attributes
a,A,"{""size: small"": 0.5}"
b,"B, or not",
c,C,half
d,D,{},extra
e
f,"two
lines","[1]"
g,G,[2]
"""


@pytest.mark.parametrize(
    ("name", "text", "good", "bad"),
    [
        (
            "x.jsonl",
            "\ufeff" + JSON_LINES,
            [(1, "a"), (7, "e")],
            {3: "label: Field required", 4: "Invalid JSON", 5: "valid number", 6: "colour: Extra"},
        ),
        (
            "x.CSV",
            CSV,
            [(2, "a"), (3, "b"), (7, "f"), (9, "g")],
            {4: "attributes: no JSON", 5: "more cells", 6: "label: Field required"},
        ),
    ],
)
def test_bad_lines_are_named_and_the_others_read(
    tmp_path: Path, name: str, text: str, good: list[tuple[int, str]], bad: dict[int, str]
) -> None:
    (tmp_path / name).write_text(text)
    rows = list(read_rows(tmp_path / name))
    assert [(row.line, row.new.id) for row in rows if row.new] == good
    mistakes = {row.line: row.mistake for row in rows if not row.new}
    assert mistakes.keys() == bad.keys()
    assert [line for line, part in bad.items() if part not in mistakes[line]] == []


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("x.txt", "", "read from .jsonl"),
        ("x.csv", "", "got the columns none"),
        ("x.csv", "id;label\n", "id;label"),
        ("x.csv", "id,label,colour\n", "allowed are id, label, prompt, attributes"),
    ],
)
def test_files_that_hold_no_classes(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=told):
        list(read_rows(tmp_path / name))


def test_a_cut_quote_ends_the_file_with_a_report(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('id,label,prompt\na,A,red\nb,B,"red\n')
    rows = list(read_rows(tmp_path / "x.csv"))
    assert [(row.line, bool(row.new)) for row in rows] == [(2, True), (3, False)]


def test_an_unknown_ending_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"such as classes\.jsonl"):
        write_rows(tmp_path / "x.xlsx", [])
