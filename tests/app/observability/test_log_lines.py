"""A record is one line with what was said and the ids of its request, and cannot be made to look like several."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import Context, copy_context
from typing import Any

import pytest
from starlette.datastructures import Headers

from app.observability.logs import LONGEST, JsonLines, TextLines
from app.observability.request_record import RequestRecord, begin

FORGED = 'class "x"\n2026-01-01T00:00:00.000Z INFO duet.access all is well\r\x1b[2K\u2028'


def record(message: str, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("duet.test").makeRecord(
        "duet.test", logging.WARNING, __file__, 1, message, (), None, extra=extra
    )


def within_request(trace_id: str = "", span_id: str = "") -> Context:
    context = copy_context()
    context.run(begin, RequestRecord("r-1", trace_id, span_id))
    return context


def test_a_json_line_has_the_fields_and_the_ids() -> None:
    said = record("hello", status=200, color_message="\x1b[1mhello")
    outside = json.loads(JsonLines().format(said))
    assert outside.pop("time").endswith("Z")
    assert outside == {"level": "WARNING", "logger": "duet.test", "message": "hello", "status": 200}
    traced = within_request(trace_id="t" * 32, span_id="s" * 16)
    inside = json.loads(traced.run(JsonLines().format, record("hello", request_id="another's")))
    assert (inside["request_id"], inside["trace_id"], inside["span_id"]) == ("r-1", "t" * 32, "s" * 16)


@pytest.mark.parametrize("lines", [JsonLines(), TextLines()], ids=["json", "text"])
def test_no_message_makes_a_second_line(lines: logging.Formatter) -> None:
    written = lines.format(record(FORGED))
    assert len(written.splitlines()) == 1
    assert not set(written) & {"\r", "\x1b", "\u2028"}
    assert "all is well" in written


@pytest.mark.parametrize("lines", [JsonLines(), TextLines()], ids=["json", "text"])
def test_long_messages_are_cut(lines: logging.Formatter) -> None:
    written = lines.format(record("a" + "b" * 10 * LONGEST + "c"))
    assert len(written) < 1.1 * LONGEST
    assert f"{9 * LONGEST + 2} characters left out" in written


def test_a_traceback_is_a_field_in_json_and_lines_in_text() -> None:
    said = record("broken")
    try:
        raise ValueError("why")
    except ValueError:
        said.exc_info = sys.exc_info()
    told = json.loads(JsonLines().format(said))
    assert (told["message"], told["traceback"].splitlines()[-1]) == ("broken", "ValueError: why")
    first, *rest = within_request().run(TextLines().format, said).splitlines()
    assert first.endswith("WARNING duet.test [r-1] broken")
    assert rest[-1] == "ValueError: why"


@pytest.mark.parametrize("asked", ["3f0c-8a.7d:e_5=", "Root=1-67891233-abcdef012345678912345678", "x" * 128])
def test_a_well_formed_id_is_taken_over(asked: str) -> None:
    assert RequestRecord.of(Headers({"X-Request-ID": asked})).id == asked


@pytest.mark.parametrize("asked", ["", "x" * 129, "a b", 'a"b', "a\nb", "ä", "a{b}"])
def test_another_id_is_replaced(asked: str) -> None:
    made = RequestRecord.of(Headers({"X-Request-ID": asked})).id
    assert len(made) == 32
    assert made != asked


def test_the_clients_trace_is_known_without_tracing() -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    known = RequestRecord.of(Headers({"traceparent": f"00-{trace}-{parent}-01"}))
    assert (known.trace_id, known.span_id) == (trace, "")
    assert RequestRecord.of(Headers({"traceparent": f"00-{trace.upper()}-{parent}-01"})).trace_id == ""
