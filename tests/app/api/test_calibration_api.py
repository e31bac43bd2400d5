"""GET /model, sets of classes at a stated coverage, and POST /calibration, which makes their guarantee hold."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import ImageColor

from duet_core.runtime import Evidence, open_bundle
from tests.service_process import ServiceProcess
from tests.tiny_bundle import ALL_BLUE, CALIBRATION, SEEN, picture_bytes, write_manifest, write_tiny_bundle

PICTURES = {
    "red-bird": ("red", "red"),
    "green-bird": ("green", "green"),
    "blue-winged-bird": ("red", "blue"),
    "red-crowned-bird": ("red", "green"),
}


SHADES = itertools.cycle(range(0, 60, 2))


def classify(
    client: httpx.Client, space: str, class_id: str = "red-bird", shade: int = 0, **query: Any
) -> dict[str, Any]:
    crown, wing = (
        "#" + bytes(min(255, channel + shade) for channel in ImageColor.getrgb(colour)).hex()
        for colour in PICTURES[class_id]
    )
    photo = picture_bytes(crown, wing)
    answer = client.post("/classify", params={"space": space} | query, files={"image": photo}).raise_for_status()
    result: dict[str, Any] = answer.json()
    return result


def label(client: httpx.Client, space: str, count: int, **more: Any) -> httpx.Response:
    """Label so many photos, no two alike."""
    names = [list(PICTURES)[i % len(PICTURES)] for i in range(count)]
    photos = [{"image_id": classify(client, space, name, next(SHADES))["image_id"], "class_id": name} for name in names]
    return client.post("/calibration", params={"space": space}, json={"photos": photos} | more)


def test_the_model_publishes_its_calibration(client: httpx.Client, tiny_bundle: Path) -> None:
    answer = client.get("/model").raise_for_status().json()
    assert answer["id"] == "tiny"
    assert answer["checksum"] == hashlib.sha256((tiny_bundle / "manifest.json").read_bytes()).hexdigest()
    shown = answer["calibration"]
    for name in ("gamma", "temperature", "threshold", "false_reject_rate", "split", "evidence"):
        assert shown[name] == CALIBRATION[name], name
    assert shown["ece"] == {"before": CALIBRATION["ece_before"], "after": CALIBRATION["ece_after"]}
    assert shown["ece_seen"] == {"before": None, "after": None}  # an older bundle does not say
    assert (shown["photos"], shown["prediction_sets"]) == (CALIBRATION["n_photos"], False)
    assert answer["training"] == json.loads((tiny_bundle / "manifest.json").read_text())["training"]


def test_no_set_without_labelled_photos(client: httpx.Client, space: str) -> None:
    photo = {"image": picture_bytes("red")}
    answer = client.post("/classify", params={"space": space, "coverage": 0.9}, files=photo)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/no-calibration-photos")
    assert "coverage" not in classify(client, space)
    for bad in (0, 1, -0.1, "nan"):
        refused = client.post("/classify", params={"space": space, "coverage": bad}, files=photo)
        assert refused.status_code == 422, bad


def test_labelled_photos_make_the_guarantee_valid_until_a_class_comes(client: httpx.Client, space: str) -> None:
    state = label(client, space, 12).raise_for_status().json()
    assert (state["photos"], state["photos_seen"], state["photos_unseen"], state["accuracy"]) == (12, 12, 0, 1.0)
    assert (state["calibrated_at"], state["revision"]) == (0, 0)
    reached = {row["coverage"]: row for row in state["coverages"]}
    assert reached[0.9]["margin_seen"] == 0
    assert (reached[0.95]["margin_seen"], reached[0.95]["photos_needed"]) == (None, 19)

    found = classify(client, space, coverage=0.9)["coverage"]
    assert found == {"set": ["red-bird"], "target_coverage": 0.9, "guarantee": "valid"}

    body = {"id": "blue-bird", "label": "B", "attributes": ALL_BLUE}
    client.post("/classes", params={"space": space}, json=body).raise_for_status()
    found = classify(client, space, coverage=0.9)["coverage"]
    assert found["guarantee"] == "void: class set changed since revision 0"
    assert found["set"][0] == "red-bird"

    label(client, space, 12).raise_for_status()
    found = classify(client, space, coverage=0.9)["coverage"]
    assert found["guarantee"] == "void: too few labelled photos of unseen classes"
    assert classify(client, space, coverage=0.9, candidates="seen")["coverage"]["guarantee"] == "valid"

    answer = client.post("/classify", params={"space": space, "coverage": 0.99}, files={"image": picture_bytes("red")})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/no-calibration-photos")
    assert "needs at least 99" in answer.json()["detail"]


def test_the_set_is_every_class_within_the_margin(client: httpx.Client, space: str) -> None:
    """Photos told to show a class they do not look like: the margin grows, and so do the sets, as /classify scores."""
    told = [classify(client, space, "red-bird", 2 * number) for number in range(10)]
    photos = [{"image_id": one["image_id"], "class_id": "green-bird"} for one in told]
    client.post("/calibration", params={"space": space}, json={"photos": photos}).raise_for_status()
    answer = classify(client, space, "red-crowned-bird", coverage=0.9)
    given = [{p["class_id"]: p["calibrated_score"] for p in one["predictions"]} for one in told]
    margin = max(max(scores.values()) - scores["green-bird"] for scores in given)  # of ten photos 0.9 asks for all
    scores = {p["class_id"]: p["calibrated_score"] for p in answer["predictions"]}
    within = [name for name, score in scores.items() if max(scores.values()) - score <= margin + 1e-6]
    assert answer["coverage"]["set"] == within
    assert 1 < len(within) <= len(SEEN)


def test_photos_are_added_one_by_one(client: httpx.Client, space: str) -> None:
    label(client, space, 4).raise_for_status()
    photo = {"image": picture_bytes("red")}
    query = {"space": space, "class_id": "red-bird"}
    state = client.post("/calibration", params=query, files=photo).raise_for_status().json()
    assert state["photos"] == 5
    assert label(client, space, 4, append=True).json()["photos"] == 9
    assert label(client, space, 4).json()["photos"] == 4
    assert client.get("/calibration", params={"space": space}).json()["photos"] == 4
    assert client.delete("/calibration", params={"space": space}).json()["photos"] == 0
    assert client.get("/calibration", params={"space": space}).json()["accuracy"] is None


def test_a_deleted_space_takes_its_labelled_photos_along(client: httpx.Client, space: str) -> None:
    client.post("/spaces", json={"name": space}).raise_for_status()
    assert label(client, space, 4).raise_for_status().json()["photos"] == 4
    client.delete(f"/spaces/{space}").raise_for_status()
    assert client.get("/calibration", params={"space": space}).json()["photos"] == 0


def test_appending_keeps_the_older_revision(client: httpx.Client, space: str) -> None:
    label(client, space, 6).raise_for_status()
    body = {"id": "blue-bird", "label": "B", "attributes": ALL_BLUE}
    client.post("/classes", params={"space": space}, json=body).raise_for_status()
    state = label(client, space, 6, append=True).json()
    assert (state["calibrated_at"], state["revision"]) == (0, 1)
    assert "since revision 0" in classify(client, space, coverage=0.5)["coverage"]["guarantee"]


@pytest.mark.parametrize(
    ("photos", "kind"),
    [
        ([], "invalid-calibration"),
        ([{"image_id": "x"}], "invalid-calibration"),
        ([{"image_id": "x", "class_id": "red-bird", "more": 1}], "invalid-calibration"),
        ([{"image_id": "x", "class_id": "red-bird"}], "image-not-found"),
        ([{"image_id": "x", "class_id": "no-such-bird"}], "class-not-found"),
    ],
)
def test_nothing_is_kept_of_a_wrong_body(client: httpx.Client, space: str, photos: list[Any], kind: str) -> None:
    label(client, space, 4).raise_for_status()
    answer = client.post("/calibration", params={"space": space}, json={"photos": photos})
    assert answer.json()["type"] == f"/problems/{kind}"
    assert client.get("/calibration", params={"space": space}).json()["photos"] == 4
    photo = {"image": picture_bytes("red")}
    assert client.post("/calibration", params={"space": space}, files=photo).status_code == 422


def test_sets_follow_the_gamma_of_the_request(client: httpx.Client, space: str) -> None:
    body = {"id": "blue-bird", "label": "B", "attributes": ALL_BLUE}
    client.post("/classes", params={"space": space}, json=body).raise_for_status()
    label(client, space, 10).raise_for_status()
    far = classify(client, space, coverage=0.9, gamma=50)["coverage"]
    near = classify(client, space, coverage=0.9, gamma=0)["coverage"]
    assert far["set"][0] == "blue-bird"  # with seen classes pushed down that far, the right one is only within
    assert "red-bird" in far["set"]
    assert near["set"] == ["red-bird"]
    assert np.array_equal(sorted(set(far["set"])), sorted(far["set"]))


NEWER: dict[str, Any] = {
    "evidence": "centred_cosine",
    "threshold": 0.5,
    "n_seen": 5,
    "n_unseen": 3,
    "ece_seen_before": 0.3,
    "ece_seen_after": 0.02,
    "ece_unseen_before": 0.4,
    "ece_unseen_after": 0.03,
    "false_reject_seen": 0.04,
    "false_reject_unseen": 0.06,
    "margins_seen": np.linspace(0, 1, 101).tolist(),
    "margins_unseen": np.linspace(0, 2, 101).tolist(),
}


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Path]]:
    """A service whose bundle was calibrated anew: other evidence, either group's figures, margins."""
    folder = tmp_path_factory.mktemp("newer")
    bundle = write_tiny_bundle(folder / "bundle")
    (bundle / "calibration.json").write_text(json.dumps(CALIBRATION | NEWER))
    write_manifest(bundle)
    running = ServiceProcess(folder, bundle=bundle, store=f"sqlite:///{folder}/classes.sqlite")
    yield running.start().client, bundle
    running.close()


def test_a_newer_bundle_publishes_either_group(newer: tuple[httpx.Client, Path]) -> None:
    shown = newer[0].get("/model").json()["calibration"]
    assert (shown["evidence"], shown["prediction_sets"]) == ("centred_cosine", True)
    assert shown["ece_seen"] == {"before": 0.3, "after": 0.02}
    assert shown["ece_unseen"] == {"before": 0.4, "after": 0.03}
    assert (shown["false_reject_seen"], shown["false_reject_unseen"]) == (0.04, 0.06)
    assert (shown["photos_seen"], shown["photos_unseen"]) == (5, 3)


def test_sets_of_a_bundle_are_never_called_valid(newer: tuple[httpx.Client, Path]) -> None:
    client, _ = newer
    answer = classify(client, "default", "red-crowned-bird", coverage=0.9)
    scores = {p["class_id"]: p["calibrated_score"] for p in answer["predictions"]}
    within = [name for name, score in scores.items() if max(scores.values()) - score <= 0.9]
    assert answer["coverage"]["set"] == within
    assert answer["coverage"]["guarantee"].startswith("void: measured on validation classes")
    label(client, "default", 12).raise_for_status()
    assert classify(client, "default", coverage=0.9)["coverage"]["guarantee"] == "valid"


def test_the_decision_is_by_the_bundle_s_evidence(newer: tuple[httpx.Client, Path]) -> None:
    client, folder = newer
    bundle = open_bundle(folder)
    answer = classify(client, "default", "red-bird")
    parts = client.get("/explain", params={"image_id": answer["image_id"]}).json()["class"]["contributions"]
    by_name = {part["attribute"]: part["v"] for part in parts}
    v = np.array([by_name[key] for key in bundle.schema.keys], dtype=np.float32)
    evidence = Evidence.of("centred_cosine", bundle.classes.z)
    values = evidence.values(v, (bundle.classes.z @ v).astype(np.float64), bundle.classes.along(evidence.mean))
    assert answer["decision"]["score"] == pytest.approx(values.max(), abs=1e-5)
    assert answer["decision"]["threshold"] == 0.5
    assert answer["decision"]["accepted"] is True
