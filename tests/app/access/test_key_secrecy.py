"""A key shows nowhere but in the request it came with, and no spelling of a path gets past the table of scopes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from app.access.key_file import KeyEntry, KeyFile, digest, new_key, write_key_file
from tests.service_process import ServiceProcess
from tests.tiny_bundle import picture_bytes

PHOTO = {"image": ("photo.png", picture_bytes("red"), "image/png")}


@pytest.fixture(scope="module")
def key() -> str:
    return new_key("curator", ["classify", "manage"])[0]


@pytest.fixture(scope="module")
def guarded(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory, key: str) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("guarded")
    entry = KeyEntry(name="curator", scopes=frozenset({"classify", "manage"}), sha256=digest(key))
    write_key_file(folder / "keys.json", KeyFile(keys=(entry,)))
    store = f"sqlite:///{folder}/classes.sqlite"
    running = ServiceProcess(folder, bundle=tiny_bundle, store=store, api_keys=folder / "keys.json")
    yield running.start()
    running.close()


def test_a_key_is_in_no_answer_and_no_line_of_the_log(guarded: ServiceProcess, key: str) -> None:
    client, given = guarded.client, {"Authorization": f"Bearer {key}", "X-API-Key": key}
    answers = [
        client.get(f"/classes?key={key}", headers=given),
        client.get(f"/classes?limit={key}", headers=given | {"If-Match": "x"}),  # 422, which quotes what was sent
        client.post("/classify?top_k=0", files=PHOTO, headers=given),
        client.post("/classes", json={"id": 3}, headers=given),
        client.post("/classes", content=b"{", headers=given | {"Content-Type": "application/json"}),
        client.get("/classes/nowhere", headers=given),
        client.post("/spaces", json={"name": "x"}, headers=given),  # 403
        client.get("/classes", headers={"Authorization": f"Basic {key}"}),  # 401
        client.get("/classes", headers={"X-API-Key": key + "x"}),
        client.get("/classes", headers={"X-API-Key": key[:-1]}),
    ]
    assert {answer.status_code for answer in answers} >= {200, 401, 403, 404, 422}
    secret = key[5:25]  # also no large part of it
    own = [answer for answer in answers if secret in answer.text and f"limit={key}" not in str(answer.request.url)]
    assert own == [], "what stands in the query is the sender's own, to be told back"
    assert all(secret not in str(answer.headers) for answer in answers)
    assert secret not in guarded.log


def raw(service: ServiceProcess, request: bytes) -> bytes:
    """What a request written by hand is answered with, to the end of the connection."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(request)
        data = b""
        while part := connection.recv(65536):
            data += part
        return data


@pytest.mark.parametrize(
    "target",
    [
        "//classes",
        "/./classes",
        "/assets/../classes",
        "/assets/%2e%2e/classes",
        "/assets/..%2fclasses",
        "/assets/%2e%2e%2fclasses",
        "/assets//../../classes",
        "/gallery/../classes",
        "/gallery/%2e%2e/classes",
        "/problems/../classes",
        "/livez/../classes",
        "/livez%2f..%2fclasses",
        "/livez%00/classes",
        "/livez;/classes",
        "/%63lasses",
        "/classes%2f",
        "/classes/",
        "/CLASSES",
        "/classes%3f/livez",
        "/classes#/livez",
        "/spaces/default%2fclasses",
        "/v2/models/tiny%2fready/../infer",
        "http://127.0.0.1/classes",
        "http://127.0.0.1/livez/../classes",
        "*",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_spelling_of_a_path_opens_what_a_key_opens(guarded: ServiceProcess, target: str, method: str) -> None:
    head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    answer = raw(guarded, head.encode())
    assert b" 200 " not in answer.split(b"\r\n")[0]
    assert b"red-bird" not in answer
    assert b" 500 " not in answer.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "livez"},
        {"X-Original-URL": "/livez"},
        {"X-Rewrite-URL": "/livez"},
        {"X-Forwarded-Prefix": "/classes"},
        {"X-Forwarded-Host": "livez", "Forwarded": "for=127.0.0.1;host=livez"},
        {"X-HTTP-Method-Override": "HEAD"},
        {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer null", "X-API-Key": ""},
    ],
)
def test_no_header_stands_for_a_key(guarded: ServiceProcess, headers: dict[str, str]) -> None:
    assert guarded.client.get("/classes", headers=headers).status_code == 401


def test_two_requests_in_one_are_not_read_as_two(guarded: ServiceProcess) -> None:
    """Both lengths given, as for request smuggling: one answer, then the end of the connection."""
    smuggled = b"GET /classes HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    answer = raw(guarded, head + smuggled)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 400")


def test_a_line_of_the_log_cannot_be_forged(guarded: ServiceProcess) -> None:
    forged = quote('/nowhere\n{"level": "ERROR", "message": "forged"}\r\n\x1b[31m\u2028x', safe="/")
    assert guarded.client.get(forged).status_code == 401
    lines = [line for line in guarded.log.split("\n") if "forged" in line]
    assert len(lines) == 1
    assert "\x1b" not in lines[0]
    assert "\r" not in lines[0]


def test_no_address_is_made_of_the_host_header(guarded: ServiceProcess, key: str) -> None:
    evil = {"Host": "evil.example", "X-API-Key": key}
    for path in ("/", "/docs", "/openapi.json", "/classes/", "/spaces/default/classes", "/nowhere"):
        answer = httpx.get(guarded.url + path, headers=evil)
        assert "evil.example" not in answer.text + str(answer.headers.get("location")), path
