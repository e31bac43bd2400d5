"""What stands in the file of `duet bulk`, and what is refused before anything is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from duet_core.cli import main
from duet_core.runtime import Encoder, load_rgb, open_bundle, rank_calibrated

LIMITS = ("--max-bytes", "60000", "--max-side", "400")


def bulk(photos: Path, bundle: Path, out: Path, *more: str) -> int:
    """Exit status of the command."""
    return main(["bulk", str(photos), "--bundle", str(bundle), "--out", str(out), *LIMITS, *more])


def rows(out: Path) -> list[dict[str, Any]]:
    """The file's rows."""
    found: list[dict[str, Any]] = parquet.read_table(out).to_pylist()
    return found


def test_every_photo_has_one_row_answered_or_refused(photos: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "predictions.parquet"
    assert bulk(photos, tiny_bundle, out, "--shard-rows", "4", "--batch", "3") == 0
    found = rows(out)
    names = [row["path"] for row in found]
    assert names == sorted(n for n in names if "/" not in n) + sorted(
        (n for n in names if "/" in n), key=lambda n: n.rpartition("/")
    )
    assert [row["row"] for row in found] == list(range(23))
    reasons = {row["path"]: row["reason"] for row in found if row["status"] == "refused"}
    assert reasons == {
        "a/wide.png": "image-too-large",
        "b/away.jpg": "missing",
        "b/cut.png": "broken-image",
        "b/empty.jpg": "no-image",
        "b/long.png": "body-too-large",
        "b/text.webp": "unsupported-media-type",
    }
    assert all(row["detail"] and row["predictions"] is None for row in found if row["status"] == "refused")
    assert sum(row["status"] == "ok" for row in found) == 17
    assert list(out.parent.iterdir()) == [out], "nothing is left beside the file"


def test_rows_say_what_predict_says(photos: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.parquet"
    assert bulk(photos, tiny_bundle, out, "--top-k", "2", "--attributes") == 0
    bundle = open_bundle(tiny_bundle)
    for row in (row for row in rows(out) if row["status"] == "ok"):
        v = Encoder(bundle).encode([load_rgb(photos / row["path"])]).v[0]
        ranking = rank_calibrated(bundle, v, bundle.classes, top_k=2, candidates="all")
        assert row["v"] == pytest.approx(v.tolist(), abs=1e-5)
        assert [p["class_id"] for p in row["predictions"]] == [p.class_id for p in ranking.predictions]
        assert row["probability"] == pytest.approx(ranking.predictions[0].probability, abs=1e-5)
        assert (row["accepted"], row["threshold"]) == (ranking.decision.accepted, ranking.decision.threshold)
        assert (row["model"], row["bundle"], row["gamma"]) == ("tiny", bundle.checksum, 0.1)
        assert row["bytes"] == (photos / row["path"]).stat().st_size


def test_lists_name_photos_in_their_order(photos: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    names = ["01.png", "b/01.png", str(photos / "a" / "deep" / "02.png"), "00.png", "00.png", "gone.gif"]
    names[0], strange = "00.png", b"b/\xff.png"
    (photos / os.fsdecode(strange)).write_bytes((photos / "00.png").read_bytes())
    (photos / "list.txt").write_bytes("\n".join([*names, ""]).encode() + strange + b"\r\n")
    (photos / "list.csv").write_text("\n".join(["id,photo", *(f"{i},{name}" for i, name in enumerate(names))]))
    parquet.write_table(arrow.table({"photo": names}), photos / "list.parquet")
    for kind, column in ((".txt", "path"), (".csv", "photo"), (".parquet", "photo")):
        out = tmp_path / f"{kind[1:]}.parquet"
        assert bulk(photos / f"list{kind}", tiny_bundle, out, "--column", column) == 0
        found = rows(out)
        assert [row["path"] for row in found][:6] == names
        assert [row["reason"] for row in found][:6] == [None] * 5 + ["missing"]
    assert rows(tmp_path / "txt.parquet")[6]["path"] == "b/\\udcff.png"
    assert rows(tmp_path / "txt.parquet")[6]["status"] == "ok"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--batch", "0", "--top-k", "-1"), "got --batch 0, --top-k -1; at least 1 is allowed"),
        (("--candidates", "unseen"), "hold no unseen class"),
        (("--classes", "c.jsonl", "--server", "http://h"), "both --classes and --server"),
        (("--classes", "c.txt"), ".jsonl or .csv"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    more: tuple[str, ...],
    told: str,
    photos: Path,
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bulk(photos, tiny_bundle, tmp_path / "p.parquet", *more) == 2
    assert told in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_a_source_without_photos_is_refused(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.txt").write_text("")
    (tmp_path / "list.csv").write_text("id,photo\n1,a.png\n")
    for source, told in (
        ("none", "no photos, 1 other files"),
        ("nowhere", "does not exist; give a folder of photos, or a list"),
        ("list.csv", "no column 'path'; it has id, photo"),
    ):
        assert bulk(tmp_path / source, tiny_bundle, tmp_path / "p.parquet") == 2
        assert told in capsys.readouterr().err


def test_a_share_that_went_away_is_no_missing_photo(photos: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    from duet_core.bulk.photo import PhotoFiles
    from duet_core.runtime.photos import PhotoLimits

    bundle = open_bundle(tiny_bundle)
    limits = PhotoLimits(pixels=10**6, side=1000, aspect=50)
    files = PhotoFiles(root=photos, prepare=Encoder(bundle).look, side=36, limits=limits, max_bytes=10**6)
    assert getattr(files.read(0, "gone.png").pixels, "reason", None) == "missing"
    photos.rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError):
        files.read(0, "gone.png")
