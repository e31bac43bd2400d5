"""Key files: what is written can be read, what is wrong is refused, and no key is ever in a file or a message."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from app.access.key_file import KeyEntry, KeyFile, KeyFileError, digest, new_key, read_key_file, write_key_file

HASH = hashlib.sha256(b"secret").hexdigest()
ENTRY: dict[str, Any] = {"name": "camera", "scopes": ["classify"], "sha256": HASH}


def test_a_key_is_long_random_and_only_its_hash_is_written(tmp_path: Path) -> None:
    made = [new_key("camera", ["classify"]) for _ in range(20)]
    keys = [key for key, _ in made]
    assert len(set(keys)) == 20
    assert all(key.startswith("duet_") and len(key) == len("duet_") + 43 for key in keys)  # 43 letters of 6 bits: 256
    path = tmp_path / "keys.json"
    write_key_file(path, KeyFile(keys=tuple(entry for _, entry in made)))
    assert not [key for key in keys if key in path.read_text()]
    assert [entry.sha256 for entry in read_key_file(path).keys] == [
        hashlib.sha256(k.encode()).hexdigest() for k in keys
    ]


def test_the_hash_is_plain_sha256_so_that_other_tools_can_make_it() -> None:
    assert digest("secret") == HASH


def test_a_rewrite_keeps_the_mode_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_key_file(path, KeyFile(keys=()))
    path.chmod(0o600)
    write_key_file(path, KeyFile(keys=(new_key("camera", ["admin"])[1],)))
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("scopes", "opens"),
    [
        (["classify"], {None, "classify"}),
        (["manage"], {None, "manage"}),
        (["classify", "manage"], {None, "classify", "manage"}),
        (["admin"], {None, "classify", "manage", "admin"}),
    ],
)
def test_what_scopes_open(scopes: list[str], opens: set[str | None]) -> None:
    entry = KeyEntry.model_validate(ENTRY | {"scopes": scopes})
    assert {scope for scope in (None, "classify", "manage", "admin") if entry.allows(scope)} == opens


REFUSED = {
    "no JSON": "{",
    "no object": "[]",
    "no keys": "{}",
    "a key in clear": json.dumps({"keys": [ENTRY | {"sha256": "duet_topsecret"}]}),
    "a key besides": json.dumps({"keys": [ENTRY | {"key": "duet_topsecret"}]}),
    "no scope": json.dumps({"keys": [ENTRY | {"scopes": []}]}),
    "another scope": json.dumps({"keys": [ENTRY | {"scopes": ["root"]}]}),
    "no name": json.dumps({"keys": [ENTRY | {"name": ""}]}),
    "a name of two lines": json.dumps({"keys": [ENTRY | {"name": "a\nb"}]}),
    "a key twice": json.dumps({"keys": [ENTRY, ENTRY | {"name": "other"}]}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(REFUSED[name])
    with pytest.raises(KeyFileError, match=r"keys\.json: .*expected \{") as caught:
        read_key_file(path)
    assert "topsecret" not in str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="duet keys make"):
        read_key_file(tmp_path / "none.json")


@pytest.mark.parametrize(("name", "scopes"), [("two words", ["classify"]), ("camera", []), ("camera", ["root"])])
def test_keys_that_are_not_made(name: str, scopes: list[str]) -> None:
    with pytest.raises(KeyFileError, match="allowed are such as 'camera-3'"):
        new_key(name, scopes)
