"""Errors of the framework and of our own code, all as problem+json; the catalogue behind their types."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from fastapi import FastAPI

from app import problems
from app.problems import KINDS, Problem


def test_every_path_and_method_that_is_not_there(client: httpx.Client) -> None:
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["instance"] == "/nowhere"
    answer = client.put("/classes")
    assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed")
    assert answer.headers["allow"] == "GET, POST"
    assert client.get("/classify").json()["allowed"] == ["POST"]
    assert client.post("/classes/x").json()["allowed"] == ["DELETE", "GET", "PATCH", "PUT"]
    assert client.post("/").status_code == 405


@pytest.mark.parametrize("slug", KINDS)
def test_every_type_can_be_looked_up(client: httpx.Client, slug: str) -> None:
    answer = client.get(f"/problems/{slug}").raise_for_status().json()
    assert answer == {
        "type": f"/problems/{slug}",
        "title": KINDS[slug].title,
        "status": KINDS[slug].status,
        "advice": KINDS[slug].advice,
    }


def test_an_unknown_type(client: httpx.Client) -> None:
    assert client.get("/problems/bad-luck").status_code == 404


def test_an_unexpected_error_is_a_problem_that_tells_no_secrets() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("password 1234")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/broken")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["type"] == "/problems/internal-error"
    assert "1234" not in answer.text


def test_numbers_that_json_cannot_hold_become_words() -> None:
    body = Problem("invalid-class", "x", {"got": [float("nan"), {"a": float("inf")}]}).body("/classes")
    assert json.loads(body)["got"] == ["nan", {"a": "inf"}]
