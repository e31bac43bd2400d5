"""The keys at work: found, lost when revoked, and kept when the file breaks."""

from __future__ import annotations

import hmac
import logging
from pathlib import Path

import pytest

from app.access.key_file import KeyEntry, KeyFile, KeyFileError, new_key, write_key_file
from app.access.keyring import Keyring


def entries(count: int) -> tuple[list[str], list[KeyEntry]]:
    made = [new_key(f"caller-{number}", ["classify"]) for number in range(count)]
    return [key for key, _ in made], [entry for _, entry in made]


def test_every_key_is_found_and_no_other(tmp_path: Path) -> None:
    keys, kept = entries(3)
    write_key_file(tmp_path / "keys.json", KeyFile(keys=tuple(kept)))
    ring = Keyring(tmp_path / "keys.json")
    assert [ring.find(key) for key in keys] == kept
    wrong = ["", keys[0][:-1], keys[0] + "x", keys[0].upper(), kept[0].sha256, "schlüssel", "\udcff"]
    assert [ring.find(key) for key in wrong] == [None] * len(wrong)


def test_every_entry_is_compared_in_constant_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, kept = entries(5)
    write_key_file(tmp_path / "keys.json", KeyFile(keys=tuple(kept)))
    ring, compared, compare = Keyring(tmp_path / "keys.json"), [], hmac.compare_digest

    def count(one: str, other: str) -> bool:
        compared.append(one)
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", count)
    for key in (keys[0], keys[-1], "unknown"):
        compared.clear()
        ring.find(key)
        assert compared == [entry.sha256 for entry in kept]


def test_a_changed_file_counts_at_once(tmp_path: Path) -> None:
    path, (keys, kept) = tmp_path / "keys.json", entries(2)
    write_key_file(path, KeyFile(keys=(kept[0],)))
    ring = Keyring(path)
    assert ring.find(keys[1]) is None
    write_key_file(path, KeyFile(keys=(kept[0], kept[1])))
    assert ring.find(keys[1]) == kept[1]
    write_key_file(path, KeyFile(keys=(kept[1],)))
    assert ring.find(keys[0]) is None
    write_key_file(path, KeyFile(keys=()))
    assert ring.find(keys[1]) is None


@pytest.mark.parametrize("broken", ["{", "", None])
def test_a_file_that_breaks_changes_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str | None
) -> None:
    path, (keys, kept) = tmp_path / "keys.json", entries(2)
    write_key_file(path, KeyFile(keys=(kept[0],)))
    ring = Keyring(path)
    if broken is None:
        path.unlink()
    else:
        path.write_text(broken)
    with caplog.at_level(logging.ERROR, "duet.access"):
        assert [ring.find(keys[0]) for _ in range(3)] == [kept[0]] * 3
    assert len(caplog.records) == 1
    write_key_file(path, KeyFile(keys=(kept[1],)))
    assert (ring.find(keys[0]), ring.find(keys[1])) == (None, kept[1])


def test_a_start_without_a_usable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        Keyring(tmp_path / "none.json")
