"""HEAD answers as GET does, without the body, under the same keys."""

from __future__ import annotations

import httpx
import pytest


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/model", "/classes", "/docs", "/openapi.json", "/nowhere"])
def test_head_has_the_status_and_headers_of_get(client: httpx.Client, path: str) -> None:
    whole, head = client.get(path), client.head(path)
    assert head.status_code == whole.status_code
    assert head.content == b""
    assert len(whole.content) > 0
    changing = {"date", "x-request-id", "content-length"}  # an id has a length of its own in a problem
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in whole.headers.items() if k not in changing
    }


def test_the_connection_goes_on_after_a_head(client: httpx.Client) -> None:
    for _ in range(3):
        assert client.head("/model").status_code == 200
        assert client.get("/model").json()["id"] == "tiny"


def test_what_only_takes_a_post_refuses_head(client: httpx.Client) -> None:
    answer = client.head("/classify")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
