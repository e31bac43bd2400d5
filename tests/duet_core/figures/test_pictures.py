"""Every picture shows the numbers it is given: lengths of bars, places of marks, words; and is a sound SVG."""

from __future__ import annotations

import io
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from duet_core.attributes import AttributeSchema
from duet_core.commands import stats
from duet_core.figures.accuracy_pictures import attribute_picture, class_picture
from duet_core.figures.confusion_picture import confusion_picture
from duet_core.figures.curve_picture import curve_numbers, curve_picture
from duet_core.figures.projection_picture import projection_picture
from duet_core.figures.sheet_picture import sheet_columns, sheet_heading, sheet_png
from duet_core.figures.statistics_picture import frequency_picture, pairs_picture
from duet_core.figures.style import AMBER, BLUE, GREEN, INK, ORANGE, Picture
from duet_core.judging.attribute_accuracy import attribute_accuracies, prompt_accuracies
from duet_core.judging.class_accuracy import class_accuracies
from duet_core.judging.confusion import confusions
from duet_core.judging.interpretation import Sheet, SheetAttribute, SheetSet
from duet_core.judging.projection import project_unseen
from duet_core.statistics import AttributeStatistics
from tests.duet_core.figures.svg_reading import bars, marks, texts
from tests.duet_core.judging.made_held_out import NAMES, made_held_out

PRESENT = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 0]], dtype=np.bool_)
STATISTICS = AttributeStatistics(PRESENT, AttributeSchema.from_pairs([("a", "x"), ("a", "y"), ("b", "z")]))
SHEET = Sheet(
    row=0,
    photo="001.Jay/1.jpg",
    true_class="Jay",
    seen=False,
    answer="Wren",
    probability=0.61,
    sets=tuple(
        SheetSet(
            f"prompt {number}",
            (SheetAttribute("blue", 0.75, 0.5, agrees=True), SheetAttribute("red", 0.25, 0.1, agrees=False)),
            ("grey", 0.9) if number == 0 else None,
        )
        for number in range(4)
    ),
)


def sound(picture: Picture) -> list[str]:
    """The texts of a picture that has a title, an accessible name, unique ids of its own, and no address in it."""
    drawn = texts(picture.svg)
    assert f'role="img" aria-label="{picture.alt[:20]}' in picture.svg
    assert "<title>" in picture.svg
    assert len(picture.alt) > 30
    ids = re.findall(r'\bid="([^"]+)"', picture.svg)
    assert len(ids) == len(set(ids))
    assert all(one.startswith(picture.name) for one in ids)
    assert set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", picture.svg)) <= set(ids)
    assert "http" not in picture.inline
    assert f"var(--ink, {INK})" in picture.inline
    return drawn


def test_frequencies_fall_from_left_to_right_and_their_ends_are_named() -> None:
    picture = frequency_picture(STATISTICS, what="made")
    drawn = sound(picture)
    assert "How many of 4 classes have an attribute" in drawn
    assert "a: x 4" in drawn
    assert "from 4 (a: x) over a median of 2 down to 1 (b: z)" in picture.alt
    outline = re.search(rf'd="([^"]+)"[^>]*style="fill: {BLUE}', picture.svg)
    assert outline is not None
    heights = [float(y) for _, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", outline.group(1))]
    floor = max(heights)
    steps = sorted({round(floor - y, 3) for y in heights} - {0.0})
    assert [step / steps[0] for step in steps] == pytest.approx([1, 2, 4], rel=1e-3)


def test_pairs_are_bars_of_classes_with_both_and_with_one() -> None:
    pairs = [STATISTICS.pair("y", "x"), STATISTICS.pair("x", "y")]
    picture = pairs_picture(pairs, heading="Together", what="made")
    drawn = sound(picture)
    assert "a: y ← a: x" in drawn
    assert {"R = 1", "R = ∞"} <= set(drawn)
    both = [width for _, width in bars(picture.svg, BLUE)[:2]]
    assert both[0] == pytest.approx(both[1])  # two classes with both, whichever comes first


def test_the_curve_marks_the_chosen_gamma_and_the_best_one_apart() -> None:
    models = [made_held_out(0), made_held_out(1)]
    picture = curve_picture(models)
    drawn = sound(picture)
    assert drawn.count("γ chosen on validation classes") == drawn.count("highest H on these photos") == 1
    assert sum(text.startswith("made-model, AUSUC") for text in drawn) == 2
    numbers = curve_numbers(models[0])
    curve = models[0].curve
    best = int(curve.H.argmax())
    assert numbers["best_H"]["H"] == pytest.approx(curve.H.max())
    assert (numbers["best_H"]["U"], numbers["best_H"]["S"]) == (curve.U[best], curve.S[best])
    assert (numbers["U"], numbers["S"]) == (models[0].metrics.U, models[0].metrics.S)
    assert numbers["AUSUC"] == pytest.approx(curve.area)
    told = [curve_numbers(one) for one in models]
    wanted = [(one["best_H"]["U"], one["best_H"]["S"]) for one in told] + [(one["U"], one["S"]) for one in told]
    found = [marks(picture.svg, colour)[place] for place in (0, 1) for colour in (BLUE, ORANGE)]
    for axis, sign in ((0, 1), (1, -1)):  # the places follow U and S on one scale each; y runs downwards in an SVG
        values, places = ([one[axis] for one in points] for points in (wanted, found))
        slope, start = np.polyfit(values, places, 1)
        assert slope * sign > 100
        np.testing.assert_allclose(places, slope * np.array(values) + start, atol=1e-3)


def test_classes_are_sorted_bars_with_a_mark_for_the_own_group() -> None:
    classes = [one for one in class_accuracies(made_held_out(0)) if not one.seen]
    picture = class_picture(classes, heading="Unseen", group="among unseen only", name="unseen")
    drawn = sound(picture)
    assert [text for text in drawn if text in {one.name for one in classes}] == [one.name for one in classes]
    assert f"mean {100 * np.mean([one.all_compete for one in classes]):.1f} %" in picture.alt
    widths = [width for _, width in bars(picture.svg, BLUE)][: len(classes)]
    scale = widths[0] / classes[0].all_compete
    assert widths == pytest.approx([scale * one.all_compete for one in classes], rel=1e-3)
    left = bars(picture.svg, BLUE)[0][0]
    ticks = marks(picture.svg, ORANGE)[: len(classes)]
    assert [x for x, _ in ticks] == pytest.approx([left + scale * one.own_group for one in classes], abs=0.1)
    assert all(upper < lower for (_, upper), (_, lower) in pairwise(ticks))


def test_attributes_are_dots_on_the_line_of_their_prompt_set() -> None:
    attributes = attribute_accuracies(made_held_out(0))
    prompts = prompt_accuracies(attributes)
    picture = attribute_picture(attributes, prompts)
    drawn = sound(picture)
    assert [text for text in drawn if text in ("color (4)", "size (2)")] == [
        f"{one.prompt} ({one.attributes})" for one in prompts
    ]
    assert f"best {prompts[0].prompt} ({prompts[0].unseen:.2f})" in picture.alt
    means = marks(picture.svg, BLUE)[: len(prompts)]
    assert prompts[0].unseen is not None
    assert prompts[1].unseen is not None
    assert (means[0][0] > means[1][0]) == (prompts[0].unseen > prompts[1].unseen)


def test_the_heat_map_writes_the_shares() -> None:
    found = confusions(made_held_out(2))
    picture = confusion_picture(found)
    drawn = sound(picture)
    rows = found.of_top_pairs(20)
    share = found.share[np.ix_(rows, rows)]
    written = [text for text in drawn if text.isdigit()]
    assert written == [f"{100 * value:.0f}" for value in share.ravel() if value >= 0.05]
    for row in rows:
        assert found.names[row] + ("" if found.seen[row] else " *") in drawn
    top = found.pairs(1)[0]
    assert f"{top.first} as {top.second} {100 * top.first_as_second:.0f} %" in picture.alt


def test_the_map_names_families_and_shows_every_photo() -> None:
    found = project_unseen(made_held_out(0))
    picture = projection_picture(found, NAMES)
    drawn = sound(picture)
    assert "jay (2 classes)" in drawn
    assert {"Green", "Florida", "Rock Wren"} <= set(drawn)  # a family's word stands in the legend alone
    jays = [row for row, global_row in enumerate(found.rows) if NAMES[global_row].endswith("Jay")]
    of_jays = int(np.isin(found.label, jays).sum())
    assert len(marks(picture.svg, BLUE)) == of_jays + len(jays) + 1  # photos, classes, the legend
    assert f"{100 * found.explained_classes[0]:.0f} %" in picture.alt


def test_a_sheet_has_bars_for_score_and_degree_and_ticks_where_the_class_agrees() -> None:
    columns = sheet_columns(SHEET, name="sheet-1")
    assert [one.name for one in columns] == ["sheet-1-1", "sheet-1-2"]
    drawn = sound(columns[0])
    assert drawn[:4] == ["prompt 0", "blue", "75%", "red"]
    assert "the class's strongest: grey 90%" in drawn
    assert "prompt 0: blue 75%, in the class" in columns[0].alt
    scores, degrees = ([width for _, width in bars(columns[0].svg, colour)][:2] for colour in (BLUE, AMBER))
    assert scores[1] / scores[0] == pytest.approx(0.25 / 0.75, rel=1e-3)
    assert degrees[0] / scores[0] == pytest.approx(0.5 / 0.75, rel=1e-3)
    assert degrees[1] / degrees[0] == pytest.approx(0.2, rel=1e-3)
    assert columns[0].svg.count(f"stroke: {GREEN}") == 2  # one attribute of each of the two sets agrees
    assert sheet_heading(SHEET) == "Jay (unseen), answered Wren, probability 61%"


def test_the_whole_sheet_is_one_png_with_the_photo() -> None:
    photo = Image.new("RGB", (60, 40), "#c01060")
    with Image.open(io.BytesIO(sheet_png(SHEET, photo))) as drawn:
        assert drawn.format == "PNG"
        assert drawn.width > drawn.height
        colours = {colour for _, colour in drawn.convert("RGB").getcolors(10**6) or []}
    assert (0xC0, 0x10, 0x60) in colours


def test_the_same_is_drawn_as_the_same_bytes() -> None:
    first, second = (curve_picture([made_held_out(0)]) for _ in range(2))
    assert first.svg == second.svg


@pytest.mark.data
def test_the_picture_in_the_documentation_is_what_the_command_draws(shared_data: Path, tmp_path: Path) -> None:
    pairs = ["leaves,flowers", "trees,grass", "cloth,paper", "clouds,sand"]
    list(stats.run(shared_data / "xlsa17" / "SUN", pair=pairs, out=tmp_path))
    drawn = texts((tmp_path / "attribute-pairs.svg").read_text(encoding="utf-8"))
    kept = Path(__file__).resolve().parents[3] / "docs" / "sun-attribute-pairs.svg"
    assert texts(kept.read_text(encoding="utf-8")) == drawn
    assert "R = 3.9" in drawn
