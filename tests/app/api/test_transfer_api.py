"""POST /import and GET /export: both formats, all or nothing, each bad row named."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest

from tests.tiny_bundle import ALL_BLUE, SCHEMA

JSONL = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv; charset=utf-8"}


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def send(client: httpx.Client, space: str, content: str | bytes, kind: dict[str, str], **query: Any) -> httpx.Response:
    return client.post(f"/spaces/{space}/import", content=content, headers=kind, params=query)


def degrees(client: httpx.Client, space: str, class_id: str) -> dict[str, float]:
    shown = client.get(f"/spaces/{space}/classes/{class_id}").raise_for_status().json()
    return {attribute["key"]: attribute["degree"] for attribute in shown["attributes"] if attribute["degree"]}


def test_json_lines(client: httpx.Client, space: str) -> None:
    body = lines(
        {"id": "a", "label": "A", "attributes": ALL_BLUE},
        {"id": "b", "label": "B", "prompt": "wing color: red | size: small", "ttl_seconds": 3600},
    )
    answer = send(client, space, body + "\n", JSONL)
    assert answer.json() | {"near_duplicates": []} == {
        "imported": 2,
        "revision": 1,
        "near_duplicates": [],
        "near_duplicates_checked": True,
    }
    assert answer.headers["x-registry-revision"] == "1"
    listed = client.get(f"/spaces/{space}/classes", params={"seen": False}).json()
    assert [(entry["id"], entry["kind"]) for entry in listed["classes"]] == [("a", "mapping"), ("b", "prompt")]
    assert degrees(client, space, "a") == pytest.approx(ALL_BLUE)


def test_csv(client: httpx.Client, space: str) -> None:
    body = 'id,label,prompt,Wing  color: blue,crown color: blue\n"a","A, the first",,0.9,1\nb,B,"a small\nred bird",,\n'
    assert send(client, space, body.encode("utf-8-sig"), CSV).json()["imported"] == 2
    first = client.get(f"/spaces/{space}/classes/a").json()
    assert (first["label"], first["kind"]) == ("A, the first", "mapping")
    shown = degrees(client, space, "a")
    assert [shown["wing color: blue"], shown["crown color: blue"]] == pytest.approx([0.9, 1])
    assert client.get(f"/spaces/{space}/classes/b").json()["prompt"] == "a small\nred bird"


def test_one_bad_row_and_nothing_is_stored(client: httpx.Client, space: str) -> None:
    body = lines(
        {"id": "a", "label": "A", "attributes": ALL_BLUE},
        {"id": "B", "label": "B", "attributes": ALL_BLUE},
        {"id": "c", "label": "C", "attributes": {"wing colour: blue": 1}},
        {"id": "d", "label": "D", "attributes": [1.0]},
        {"id": "a", "label": "A", "attributes": ALL_BLUE},
        {"id": "red-bird", "label": "A", "attributes": ALL_BLUE},
        {"id": "e", "label": "E", "degrees": [-1.0] * 12},
        {"id": "no-such", "kind": "seen", "hidden": True},
    )
    answer = send(client, space, body + "{\n[]\n", JSONL)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "/problems/invalid-import")
    assert "9 of 10 rows" in problem["detail"]
    assert [(error["row"], error["id"], error["problem"]) for error in problem["errors"]] == [
        (2, "B", "invalid-class"),
        (3, "c", "unknown-attribute"),
        (4, "d", "invalid-class"),
        (5, "a", "invalid-class"),
        (6, "red-bird", "class-exists"),
        (7, "e", "invalid-class"),
        (8, "no-such", "invalid-class"),
        (9, "", "invalid-json"),
        (10, "", "invalid-json"),
    ]
    assert "row 1" in problem["errors"][3]["message"]
    assert client.get(f"/spaces/{space}/classes").json()["revision"] == 0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "'id' is missing"),
        ("label,prompt\nA,red\n", "'id' is missing"),
        ("id,label,wing colour: blue\na,A,1\n", "wing color: blue"),
        ("id,label,label\na,A,A\n", "twice"),
        ("id,label,size: small\n", "no rows"),
        ("id,label,size: small\na,A,1,2\n", "row 1: 4 cells"),
        ("id,label,size: small\na,A,much\n", "row 1: could not convert"),
        ('id,label,prompt\na,A,"open\n', "cannot be read"),
    ],
)
def test_csv_that_is_refused(client: httpx.Client, space: str, body: str, told: str) -> None:
    answer = send(client, space, body, CSV)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-import")
    assert told in answer.json()["detail"]


def test_other_files_are_refused(client: httpx.Client, space: str) -> None:
    assert send(client, space, "{}", {"Content-Type": "application/json"}).status_code == 415
    broken = send(client, space, b'{"id": "\xff"}\n', JSONL)
    assert (broken.status_code, broken.json()["type"]) == (422, "/problems/invalid-import")


def test_ids_that_exist_are_named_or_replaced(client: httpx.Client, space: str) -> None:
    rows = [{"id": name, "label": name, "attributes": ALL_BLUE} for name in ("a", "b")]
    send(client, space, lines(rows[1]), JSONL).raise_for_status()
    answer = send(client, space, lines(*rows), JSONL)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/class-exists")
    assert [(error["row"], error["id"]) for error in answer.json()["errors"]] == [(2, "b")]
    assert client.get(f"/spaces/{space}/classes/a").status_code == 404
    assert send(client, space, lines(*rows), JSONL, mode="replace").json()["revision"] == 2
    assert client.get(f"/spaces/{space}/classes/b").json()["version"] == 2


@pytest.mark.parametrize(("format", "kind"), [("jsonl", JSONL), ("csv", CSV)])
def test_an_export_imports_as_it_was(client: httpx.Client, space: str, format: str, kind: dict[str, str]) -> None:
    base, other = f"/spaces/{space}", f"{space}-b"
    vector = [float(value) for value in np.random.default_rng(0).random(len(SCHEMA), dtype=np.float32)]
    prompt = 'a small blue bird, "azure" they say'
    client.post(f"{base}/classes", json={"id": "v", "label": "Vögel, alle", "attributes": vector}).raise_for_status()
    client.post(f"{base}/classes", json={"id": "p", "label": "P", "prompt": prompt}).raise_for_status()
    body = {"id": "t", "label": "T", "attributes": ALL_BLUE, "ttl_seconds": 3600}
    client.post(f"{base}/classes", json=body).raise_for_status()
    client.patch(f"{base}/classes/red-bird", json={"hidden": True}).raise_for_status()
    client.patch(f"{base}/classes/green-bird", json={"label": "Grün"}).raise_for_status()
    exported = client.get(f"{base}/export", params={"format": format}).raise_for_status()
    assert exported.headers["x-registry-revision"] == "5"
    assert exported.headers["content-disposition"] == f'attachment; filename="{space}-5.{format}"'
    assert send(client, other, exported.content, kind).json()["imported"] == 5
    again = client.get(f"/spaces/{other}/export", params={"format": format}).raise_for_status()
    assert sorted(again.text.splitlines()) == sorted(exported.text.splitlines())  # to the last bit
    for name in ("v", "p", "t", "green-bird"):
        one, two = (client.get(f"{where}/classes/{name}").json() for where in (base, f"/spaces/{other}"))
        for key in ("label", "kind", "prompt", "expires_at", "attributes"):
            assert one[key] == two[key]
    assert client.get(f"/spaces/{other}/classes/red-bird").status_code == 404


def test_near_duplicates_of_an_import_are_named(client: httpx.Client, space: str) -> None:
    client.post(f"/spaces/{space}/classes", json={"id": "old", "label": "Old", "attributes": ALL_BLUE})
    rows = [{"id": name, "label": name, "attributes": ALL_BLUE} for name in ("a", "b")]
    rows.append({"id": "c", "label": "C", "attributes": {"wing color: red": 1, "crown color: blue": 1}})
    found = send(client, space, lines(*rows), JSONL).json()["near_duplicates"]
    pairs = {frozenset((pair["imported_id"], pair["class_id"])) for pair in found}
    assert pairs == {frozenset(pair) for pair in (("a", "b"), ("a", "old"), ("b", "old"))}


def test_a_csv_row_with_every_attribute_is_a_vector_on_any_scale(client: httpx.Client, space: str) -> None:
    cells = ",".join(str(100 * ALL_BLUE.get(key, 0)) for key in SCHEMA.keys)
    assert send(client, space, f"id,label,{','.join(SCHEMA.keys)}\na,A,{cells}\n", CSV).status_code == 200
    assert client.get(f"/spaces/{space}/classes/a").json()["kind"] == "vector"
    assert degrees(client, space, "a") == pytest.approx(ALL_BLUE)
