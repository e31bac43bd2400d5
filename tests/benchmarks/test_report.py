"""docs/performance.md says what the results of the benchmarks say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.memory import growth
from benchmarks.report import load_tables
from benchmarks.report.page import DOCS, PAGE, SECTIONS, pictures, rewritten
from benchmarks.serving import results

OURS, OTHER = load_tables.OURS, "LitServe"


def _load() -> dict[str, Any]:
    """Two rounds, the second on a machine half as fast."""
    found: dict[str, Any] = {"machine": {"cores": 2, "processor": "CPU", "memory_gb": 8, "python": "3.11"}}
    found |= {"photos": 4, "photo_kb": 100.0, "rounds": 2, "bare": [], "closed": [], "open": []}
    for turn, slow in enumerate((1.0, 2.0)):
        every = {"round": turn, "others": 0.0}
        for loop, rate in (("serial", 80.0), ("threads", 100.0)):
            found["bare"].append(every | {"loop": loop, "a_second": rate / slow, "p50_ms": 12.0, "cpu_ms": 20.0})
        for system, rate in ((OURS, 90.0), (OTHER, 50.0)):
            cost = {"server_cpu_ms": 20.0, "client_cpu_ms": 0.3, "p50_ms": 15.0, "p99_ms": 20.0}
            for clients, share in ((1, 0.5), (8, 1.0)):
                entry = {"system": system, "clients": clients, "a_second": share * rate / slow}
                found["closed"].append(every | cost | entry)
            late = {"system": system, "load": 1.5, "rate": 1.5 * rate, "sent": 100, "answered": 70, "unanswered": 2}
            late |= {"statuses": {"200": 70, "503": 27, "0": 1}, "with_retry_after": 27, "p50_ms": 30.0, "p99_ms": 45.0}
            found["open"].append(every | late | {"a_second": 70.0})
    return found


def _memory() -> dict[str, Any]:
    found = {"machine": _load()["machine"], "clients": 8, "requests": [0, 10_000, 20_000], "warm_share": 0.2}
    found |= {"resident_mb": [200.0, 280.0, 281.0], "statuses": {"200": 19_000, "415": 1_000}, "peak_mb": 290.0}
    return found | {"growth_mb": 0.5, "growth_half_width_mb": 0.75}


def _registry() -> dict[str, Any]:
    row = dict.fromkeys(("registered_a_second", "store_s", "copy_s", "vectors_mb", "seen_ms", "all_ms"), 1.0)
    row |= {"added_ms": 12.34, "change_ms": 1.0, "as_of_ms": 1.0, "memory_mb": 251.0}
    rows = [{"store": store, "classes": classes} | row for store in ("sqlite", "redis") for classes in (100, 100_000)]
    return {"machine": _load()["machine"], "rows": rows}


def _faults() -> dict[str, Any]:
    row = {"order": 1, "scenario": "a full disk", "inputs": 1200, "answers": {"503": 200, "200": 1000}}
    return {"machine": _load()["machine"], "rows": [row | {"unasked": 0, "lost": 0, "peak_mb": 150.0}] * 2}


def _training_step() -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(
        ("images_per_second", "ratio", "processor_ratio", "csg_seconds", "cls_seconds"), 1.0
    )
    row |= {"way": "a loop", "batch": 2, "tflop_an_image": 0.1, "share_of_matrix_rate": 0.5, "step_mb": 100.0}
    run = {"machine": "CPU", "bf16": False, "rounds": 1, "matrix_tflops": 0.3, "others": 0.5}
    return {"cpu": run | {"encoders": {"paper": [row, row]}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Results of all benchmarks."""
    made = {
        "load": _load(),
        "memory": _memory(),
        "registry": _registry(),
        "training_step": _training_step(),
        "faults": _faults(),
    }
    for name, result in made.items():
        results.save(name, result, tmp_path)
    return tmp_path


def test_the_page_is_what_the_results_in_the_repository_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == rewritten(page, results.FOLDER), "run: make report"
    for name in SECTIONS:
        assert results.load(name) is None or f"<!-- results: {name} -->" in page


def test_the_pictures_are_those_of_the_results_in_the_repository() -> None:
    for picture in pictures(results.FOLDER):
        shown = (DOCS / f"{picture.name}.svg").read_text(encoding="utf-8")
        assert picture.alt in shown, "run: make report"


def test_ratios_are_taken_within_a_round() -> None:
    result = _load()
    assert load_tables.saturation(result) == pytest.approx(0.9)
    assert load_tables.saturation(result, OTHER) == pytest.approx(0.5)
    assert load_tables.added_ms(result) == pytest.approx(3)
    assert load_tables.overload(result) == pytest.approx(3)


def test_a_section_stands_between_its_marks_and_nothing_else_changes(folder: Path) -> None:
    page = "before\n<!-- results: load -->\nold\n<!-- end of results -->\nafter <!-- results: none -->\n"
    made = rewritten(page, folder)
    assert made.startswith("before\n<!-- results: load -->\n2 cores of CPU")
    assert made.endswith("<!-- end of results -->\nafter <!-- results: none -->\n")
    assert "old" not in made
    assert rewritten(made, folder) == made
    row = next(line for line in made.splitlines() if line.startswith(f"| {OTHER} |"))
    assert row == f"| {OTHER} | 50 % | 3.0 | 20 | 70 % | 30 | 45 | 27 % | 100 % | 6 |"


def test_what_was_not_measured_says_how_to_measure_it(tmp_path: Path) -> None:
    made = rewritten("<!-- results: memory -->\n<!-- end of results -->", tmp_path)
    assert made.splitlines()[1] == "Not measured yet: `make bench ONLY=memory`."


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_shows_the_pictures_that_are_drawn_of_it(folder: Path, name: str) -> None:
    result = results.load(name, folder)
    assert result is not None
    shown = re.findall(r"\((\S+)\.svg\)", SECTIONS[name].markdown(result))
    drawn = SECTIONS[name].pictures(result)
    assert sorted(shown) == sorted(picture.name for picture in drawn)
    assert all("<title>" in picture.svg for picture in drawn)


def test_growth_is_the_slope_and_is_told_from_none_only_where_it_is_there() -> None:
    draw = np.random.default_rng(0)
    requests = list(range(0, 100_000, 1_000))
    slope, half = growth(requests, [300 + 2e-4 * count + float(draw.normal()) for count in requests])
    assert slope == pytest.approx(2, abs=half)
    assert half < 0.2
    slope, half = growth(requests, [300 + float(draw.normal()) for _ in requests])
    assert abs(slope) < half
    with pytest.raises(ValueError, match="got 3 samples"):
        growth([0, 1, 2], [1.0, 2.0, 3.0])


def test_neighbours_that_are_alike_widen_the_interval_of_growth() -> None:
    requests = list(range(0, 80_000, 1_000))
    in_turn = [300.0 + 5 * (number % 2) for number in range(80)]
    in_blocks = [300.0 + 5 * (number // 10 % 2) for number in range(80)]
    assert growth(requests, in_blocks)[1] > 1.5 * growth(requests, in_turn)[1]
