"""The sentence map is fitted on seen classes, and gives more than words alone; `duet sentences` writes it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from duet_core.classes import unit_rows
from duet_core.cli import main
from duet_core.runtime import TextInterpreter, open_bundle
from duet_core.runtime.bundle import SENTENCES
from duet_core.sentence_fit import FitChoices, ReadTexts, descriptions_of, fit_sentence_map
from duet_core.sentence_validation import left_out
from tests.tiny_bundle import SCHEMA, write_manifest, write_tiny_bundle

A, WIDTH = len(SCHEMA), 5


def world(classes: int = 40, seed: int = 0) -> tuple[ReadTexts, NDArray[np.float32]]:
    """Classes of three hidden causes; readings of half the attributes are noise, embeddings tell the causes."""
    draw = np.random.default_rng(seed)
    causes = draw.normal(0, 1, (classes, 3))
    degrees = np.clip(0.4 + causes @ draw.normal(0, 0.12, (3, A)), 0, 1).astype(np.float32)
    lexical = np.where(draw.random((classes, A)) < 0.4, degrees, 0)
    lexical[:, A // 2 :] = draw.random((classes, A - A // 2)) < 0.3
    embeddings = np.hstack([causes, draw.normal(0, 1, (classes, WIDTH - 3))])
    words = tuple(frozenset({"songbird"} if cause[0] > 0 else {"gull"}) for cause in causes)
    return ReadTexts(lexical.astype(np.float32), words, embeddings.astype(np.float32)), degrees


def test_classes_left_out_are_closer_than_by_words_alone() -> None:
    read, degrees = world()
    learned, words = left_out(read, degrees, SCHEMA).ways
    assert (learned.name, words.name) == ("learned", "words alone")
    assert learned.cosine > words.cosine + 0.1
    assert 0 <= words.first <= learned.first <= 1


def test_the_map_is_both_estimates_in_their_shares() -> None:
    read, degrees = world()
    features = fit_sentence_map(read, degrees, SCHEMA).features(read.lexical[0], read.words[0], read.embeddings[0])
    whole, regression, measured = (
        fit_sentence_map(read, degrees, SCHEMA, FitChoices(measured=share)).deviation(features)
        for share in (0.35, 0.0, 1.0)
    )
    np.testing.assert_allclose(whole, 0.35 * measured + 0.65 * regression, atol=1e-5)


def test_readings_that_say_nothing_of_the_degree_are_not_believed() -> None:
    """Half the attributes are read at random: a reading of them moves the degrees less than one of the others."""
    read, degrees = world(classes=200)
    learned = fit_sentence_map(read, degrees, SCHEMA, FitChoices(measured=1.0))
    weights = np.abs(learned.reduce.astype(np.float64) @ learned.expand)
    assert weights[A // 2 : A].max() < weights[: A // 2].max() / 3


def test_regression_is_ridge_over_the_scaled_views() -> None:
    read, degrees = world(classes=12)
    choices = FitChoices(measured=0.0, weights=(0.0, 0.0, 2.0), ridge=0.7)
    learned = fit_sentence_map(read, degrees, SCHEMA, choices)
    centred = read.embeddings - read.embeddings.mean(axis=0)
    scaled = centred * np.sqrt(2.0 / (centred**2).sum(axis=1).mean())
    slopes = np.linalg.solve(scaled.T @ scaled + 0.7 * np.eye(WIDTH), scaled.T @ (degrees - degrees.mean(axis=0)))
    features = learned.features(read.lexical[3], read.words[3], read.embeddings[3])
    np.testing.assert_allclose(learned.deviation(features), scaled[3] @ slopes, atol=1e-4)


def test_too_few_classes_are_refused() -> None:
    read, degrees = world(classes=5)
    with pytest.raises(ValueError, match="at least 6"):
        left_out(read, degrees, SCHEMA)
    with pytest.raises(ValueError, match="at least 3"):
        fit_sentence_map(read.rows([0, 1]), degrees[:2], SCHEMA)


def test_names_are_compared_by_their_letters() -> None:
    told = {"Yellow-headed Blackbird": ["a"], "Wren": ["b", "c"]}
    assert descriptions_of(["012.Yellow_headed_Blackbird"], told) == [["a"]]
    with pytest.raises(ValueError, match="no description of 1 classes, such as 'Crow'"):
        descriptions_of(["Wren", "Crow"], told)


@pytest.fixture
def nine(tmp_path: Path) -> tuple[Path, Path]:
    """The tiny bundle with nine seen classes, wing by crown, and their descriptions."""
    folder, colours = write_tiny_bundle(tmp_path / "nine"), ("red", "blue", "green")
    pairs = [(wing, crown) for wing in colours for crown in colours]
    table = np.full((9, A), 0.1, dtype=np.float32)
    for row, (wing, crown) in enumerate(pairs):
        for key in (f"wing color: {wing}", f"crown color: {crown}"):
            table[row, SCHEMA.keys.index(key)] = 0.9
    names = [f"{wing}-winged {crown}-crown" for wing, crown in pairs]
    with np.load(folder / "classes.npz") as arrays:
        embeddings = arrays["attribute_embeddings"]
    np.savez(
        folder / "classes.npz",
        ids=np.array([f"bird-{row}" for row in range(9)]),
        labels=np.array(names),
        degrees=table,
        z=unit_rows(table),
        attribute_embeddings=embeddings,
    )
    write_manifest(folder)
    told = {name: [f"{wing} wings", f"a {crown} crown"] for name, (wing, crown) in zip(names, pairs, strict=True)}
    (tmp_path / "told.json").write_text(json.dumps(told | {"somebody else": ["nothing"]}))
    return folder, tmp_path / "told.json"


def test_the_command_writes_a_map_that_the_bundle_opens_with(
    nine: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, told = nine
    assert main(["sentences", str(told), "--bundle", str(folder), "--dry"]) == 0
    assert not (folder / SENTENCES).exists()
    assert main(["sentences", str(told), "--bundle", str(folder)]) == 0
    assert "9 seen classes" in capsys.readouterr().out
    bundle = open_bundle(folder)
    assert bundle.sentences is not None
    assert bundle.manifest["sentences"]["left_out"]["learned"]["cosine"] > 0
    degrees = TextInterpreter(bundle).interpret("red wings and a blue crown").degrees
    told_of = np.array([SCHEMA.keys.index("wing color: red"), SCHEMA.keys.index("crown color: blue")])
    assert set(np.argsort(-degrees)[:2]) == set(told_of)
    assert not list(folder.glob(".*"))


def test_the_command_refuses_a_class_nobody_described(
    nine: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, told = nine
    told.write_text(json.dumps({"red-winged red-crown": ["red wings"]}))
    assert main(["sentences", str(told), "--bundle", str(folder)]) == 2
    assert "no description of 8 classes" in capsys.readouterr().err
    assert not (folder / SENTENCES).exists()


def test_a_language_model_that_tells_nothing_apart_is_refused(
    nine: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, told = nine
    with np.load(folder / "classes.npz") as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    kept["attribute_embeddings"] = np.ones_like(kept["attribute_embeddings"])
    np.savez(folder / "classes.npz", **kept)
    write_manifest(folder)
    assert main(["sentences", str(told), "--bundle", str(folder)]) == 2
    assert "does not tell words apart" in capsys.readouterr().err
