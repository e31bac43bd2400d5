"""What a page shows is compared with what was printed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pages.shown import ANY, differences, last_answer, text_problems


@pytest.mark.parametrize(
    ("shown", "real", "said"),
    [
        ({"a": ANY}, {"a": [1, 2]}, []),
        ({"a": 1, ANY: ANY}, {"a": 1, "b": 2}, []),
        ({"a": 1}, {"a": 1, "b": 2}, ["answer: also ['b']"]),
        ({"a": 1, "b": 2}, {"a": 1}, ["answer: without ['b']"]),
        ([0.5, ANY], [0.51, 0.3], []),
        ([0.5], [0.51, 0.3], ["answer: 2 elements, shown 1"]),
        ([0.5], [0.6], ["answer[0]: 0.6, shown 0.5"]),
        ({"seen": True}, {"seen": False}, ["answer.seen: False, shown True"]),
    ],
)
def test_an_answer_is_compared_with_what_is_shown(shown: Any, real: Any, said: list[str]) -> None:
    assert list(differences(shown, real)) == said


def test_the_last_of_several_answers_is_the_one_shown() -> None:
    assert last_answer('{"a": 1}\n{"b":\n 2}{"c": 3}\n') == {"c": 3}


@pytest.mark.parametrize(
    ("shown", "printed", "agrees"),
    [
        ("a 1.50\n…\nz", "a   1.51\nb\nc\nz\n", True),
        ("a 1.50", "a 1.60", False),
        ("took … s", "took 3.7 s", True),
        ("took … s", "took 3.7 s\nand more", False),
        ("a\n…", "a\nb\nc", True),
        ("a\n…", "b\na", False),
        ("2 classes", "3 classes", False),
    ],
)
def test_text_is_compared_with_what_is_shown(shown: str, printed: str, agrees: bool) -> None:
    assert (text_problems(shown, printed) == []) is agrees
