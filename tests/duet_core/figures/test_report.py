"""`duet report` and `duet stats` from end to end on tiny data: the page parsed, its numbers those of the model."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from duet_core.benchmarks import load_xlsa17
from duet_core.benchmarks.class_table import read_class_table
from duet_core.benchmarks.drawn_shapes import draw_shapes
from duet_core.benchmarks.opening import open_folder
from duet_core.cli import main
from duet_core.commands import report, stats
from duet_core.judging.held_out import HeldOut, judge_held_out
from duet_core.runtime import open_bundle
from tests.bird_benchmark import write_bird_benchmark, write_bird_bundle
from tests.steps import finished

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """What matters of a page: ids, links, images with their alternative texts, headings; every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.pictures: list[str] = []
        self.headings: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        self.sources += [given[name] for name in ("src", "href", "xlink:href", "data", "srcset") if name in given]
        if tag == "img":
            self.pictures.append(given["alt"])
        if tag == "svg":
            assert given["role"] == "img"
            self.pictures.append(given["aria-label"])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("h1", "h2"):
            self.headings.append(data)


def check_page(text: str) -> Page:
    """A page that needs nothing else: no address, every picture told in words, every link with its target."""
    page = Page(text)
    assert "http:" not in text
    assert "https:" not in text
    assert not re.search(r"@import|url\((?!#)", text)
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert all(source.startswith(("#", "data:image/")) for source in page.sources)
    assert all(len(alt) > 5 for alt in page.pictures)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert "prefers-color-scheme: dark" in text
    return page


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with data, bundle, cache and a report of two models, and the lines that were printed."""
    folder = tmp_path_factory.mktemp("report")
    write_bird_benchmark(folder / "data")
    bundle = write_bird_bundle(folder / "bundle")
    lines = report.run(
        folder / "data", bundle=[str(bundle)] * 2, out=folder / "out", sheets=2, seed=5, cache=folder / "cache"
    )
    return folder, list(lines)


def judged(folder: Path) -> HeldOut:
    """The model of the report, from its cache."""
    data = load_xlsa17(folder / "data")
    steps = judge_held_out(open_bundle(folder / "bundle"), data, data.test_split(), folder / "cache")
    return finished(steps)[1]


def test_the_page_needs_nothing_else_and_says_what_it_is(made: tuple[Path, list[str]]) -> None:
    text = (made[0] / "out" / "index.html").read_text(encoding="utf-8")
    page = check_page(text)
    assert page.headings[0] == "tiny on data"
    assert len(page.links) == len(page.headings) - 1 == 8
    assert "nothing may be chosen from what is shown" in text
    assert page.tags.count("img") == 2
    captions = re.findall(r"<small>(.*?)</small>", text)
    assert len(captions) == page.tags.count("figure")
    assert all("duet report" in one for one in captions)
    with_photos = [one for one in captions if "no photo" not in one]
    assert len(with_photos) == len(captions) - 2
    for one in with_photos:
        assert "data, test split · " in one
        assert re.search(r"48 photos of (4 seen|2 unseen) classes", one)
        assert "training seed 3" in one
        assert "--seed 5" in one


def test_progress_is_shown(made: tuple[Path, list[str]]) -> None:
    lines = made[1]
    assert sum("encoded" in line for line in lines) == 2  # of the second bundle, which is the same, nothing is left
    assert sum(line.startswith("section ") for line in lines) == 7


def test_the_numbers_beside_the_page_are_those_of_the_model(made: tuple[Path, list[str]]) -> None:
    numbers: dict[str, Any] = json.loads((made[0] / "out" / "figures.json").read_text(encoding="utf-8"))
    model = judged(made[0])
    assert len(numbers["curve"]) == 2
    assert {name: numbers["curve"][0][name] for name in ("T1", "U", "S", "H", "AUSUC")} == {
        name: value for name, value in model.metrics.to_json().items() if name != "gamma"
    }
    assert numbers["curve"][0]["gamma"] == 0.1
    assert len(numbers["classes"]) == 6
    assert len(numbers["attributes"]["attributes"]) == 12
    assert numbers["statistics"]["counts"]["wing color: green"] == 3
    assert [one["photo"] for one in numbers["sheets"]["sheets"]] == re.findall(
        r'alt="Photo ([^"]+)"', (made[0] / "out" / "index.html").read_text(encoding="utf-8")
    )
    assert numbers["made"]["photos"] == {"seen": 48, "unseen": 48}
    assert numbers["made"]["bundle_sha256"] == open_bundle(made[0] / "bundle").checksum


def test_pictures_lie_beside_the_page(made: tuple[Path, list[str]]) -> None:
    names = {path.name for path in (made[0] / "out" / "figures").iterdir()}
    assert {"seen-unseen-curve.svg", "unseen-classes.svg", "confusion.svg", "embedding-map.svg"} <= names
    assert {"sheet-1.png", "sheet-2.png", "attribute-frequency.svg", "attribute-pairs.svg"} <= names


@pytest.mark.slow
def test_named_photos_are_shown_instead_of_drawn_ones(made: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder = made[0]
    options: dict[str, Any] = {"bundle": [str(folder / "bundle")], "cache": folder / "cache", "out": tmp_path}
    lines = list(report.run(folder / "data", photo=["005.all-blue/7.jpg"], **options))
    assert not any("encoded" in line for line in lines)  # they were, for the first report
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    check_page(text)
    assert re.findall(r'alt="Photo ([^"]+)"', text) == ["005.all-blue/7.jpg"]
    assert "photos named with --photo" in text
    with pytest.raises(ValueError, match="no held-out photo is called so"):
        list(report.run(folder / "data", photo=["001.red-bird/0.jpg"], **options))  # a training photo


@pytest.mark.slow
def test_the_command_line_takes_several_bundles(
    made: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made[0]
    words = ["report", str(folder / "data"), "--sheets", "0", "--out", str(tmp_path), "--cache", str(folder / "cache")]
    assert main([*words, "--bundle", str(folder / "bundle"), "--bundle", str(folder / "bundle")]) == 0
    assert "index.html" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "figures.json").read_text())["curve"]) == 2
    assert main([*words, "--bundle", str(folder / "bundle"), "--split", "validation"]) == 2
    assert "was trained on 32 photos" in capsys.readouterr().err


def test_stats_prints_tables_and_writes_figure_7(made: tuple[Path, list[str]], tmp_path: Path) -> None:
    text = "\n".join(
        stats.run(made[0] / "data", pair=["crown color: red, size: small"], count=3, least=1, out=tmp_path)
    )
    assert text.startswith("data: 6 classes, 12 attributes in 4 prompt sets; a class has ")
    assert "| crown color: red ← size: small | 3 | 2 | 1.5 | 1.20 |" in text
    assert "| size: small | 5 | 83.33 |" in text
    assert "| wing color | 3 | 1.0 | 0.0 | green | 50.0 | red | 16.7 |" in text
    numbers = json.loads((tmp_path / "stats.json").read_text(encoding="utf-8"))
    assert numbers["pairs"][0]["ratio"] == 1.5
    assert numbers["frequency"]["size: small"] == pytest.approx(5 / 6)
    assert "crown color: red ← size: small" in (tmp_path / "attribute-pairs.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pair": ["red"]}, "allowed are two attributes with a comma between"),
        ({"pair": ["red,size: small"]}, "2 attributes have this name"),
        ({"count": 0}, "got count 0 and least 10"),
    ],
)
def test_stats_says_what_is_wrong(made: tuple[Path, list[str]], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(stats.run(made[0] / "data", **options))


def test_stats_needs_no_photos_but_names_and_degrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_bird_benchmark(tmp_path)
    (tmp_path / "res101.mat").unlink()
    assert main(["stats", str(tmp_path)]) == 0
    capsys.readouterr()
    (tmp_path / "attributes.txt").unlink()
    assert main(["stats", str(tmp_path)]) == 2
    assert "attribute names" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.data
def test_the_report_of_the_demo_bundle_shows_the_figures_of_its_manifest(shared_data: Path, tmp_path: Path) -> None:
    bundle = Path(__file__).resolve().parents[3] / "models" / "birds"
    lines = list(
        report.run(shared_data / "CUB127", bundle=[str(bundle)], out=tmp_path / "out", cache=tmp_path / "cache")
    )
    assert sum("encoded" in line for line in lines) > 2
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    page = check_page(text)
    assert page.tags.count("img") == 6
    assert len(text) < 3e6
    numbers = json.loads((tmp_path / "out" / "figures.json").read_text(encoding="utf-8"))
    recorded = open_bundle(bundle).manifest["metrics"]["test"][0]
    for name in ("T1", "U", "S", "H", "AUSUC"):
        assert numbers["curve"][0][name] == pytest.approx(recorded[name], abs=2e-3)
    assert len(numbers["classes"]) == 127
    siblings = numbers["confusion"]
    assert siblings["errors_to_siblings"] > 5 * siblings["siblings_by_chance"]


def test_a_folder_of_ones_own_is_told_by_what_lies_there(tmp_path: Path) -> None:
    names = draw_shapes(tmp_path / "images", photos=8, side=24)
    shapes = sorted({name.split()[1] for name in names})
    lines = ["prompts:", "  color: [red, green, blue, yellow]", f"  shape: [{', '.join(shapes)}]", "classes:"]
    for name in names:
        color, shape = name.split()
        lines += [f"  {name}:", f"    color: {color}", f"    shape: {shape}"]
    (tmp_path / "attributes.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = "\n".join(stats.run(tmp_path, pair=["circle,red"], least=1))
    assert ": 12 classes, 7 attributes in 2 prompt sets; a class has 2.0 attributes" in text
    assert "| shape: circle ← color: red | 1 | 2 | 0.5 | 1.00 |" in text
    assert not (tmp_path / "splits.yaml").exists()  # statistics write nothing
    benchmark = open_folder(tmp_path)
    schema, classes = read_class_table(tmp_path)
    assert (schema, classes.names) == (benchmark.schema, benchmark.classes.names)
    assert classes.seen.tolist() == benchmark.classes.seen.tolist()  # once there is a split
    with pytest.raises(NotADirectoryError, match="no folder"):
        open_folder(tmp_path / "none")


def test_a_negative_number_of_sheets_is_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none"), "--sheets", "-1"]) == 2
    assert "--sheets: got -1; allowed is 0 or more" in capsys.readouterr().err
