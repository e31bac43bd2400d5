"""The log of a process: on standard error, as JSON for programs or as text for people, one line a record."""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Literal

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from app.observability.request_record import current

LogFormat = Literal["auto", "json", "text"]

LONGEST = 16_000
"""Most characters of a message or a traceback; what goes on longer is cut in its middle."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")


def configure(kind: LogFormat) -> None:
    """Send the log of this process to standard error; "auto" is text on a terminal and JSON elsewhere.

    uvicorn's own lines go the same way, but for its access log: ours knows the route and the time (requests.py).
    """
    as_text = kind == "text" or (kind == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextLines() if as_text else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    for name in _UVICORN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"  # without a handler uvicorn does not even make the line
    for name in ("duet", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(True)


class JsonLines(JsonFormatter):
    """One JSON object a line: time, level, logger, message, the ids of the request, and what the record adds."""

    def __init__(self) -> None:
        names = {"levelname": "level", "name": "logger", "exc_info": "traceback"}
        reserved = [*RESERVED_ATTRS, "taskName", "color_message"]
        super().__init__(["levelname", "name", "message"], rename_fields=names, reserved_attrs=reserved)

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Fill `log_data`; the ids come last, so that no record can claim another's."""
        log_data["time"] = _time(record)
        super().add_fields(log_data, record, message_dict)
        for name in ("message", "traceback"):
            if name in log_data:
                log_data[name] = _cut(str(log_data[name]))
        request = current()
        log_data.update(request.ids() if request is not None else {})


class TextLines(logging.Formatter):
    """Time, level, logger, message and the request's id; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, its message on one line whatever is in it."""
        request = current()
        named = f" [{request.id}]" if request is not None else ""
        message = _CONTROLS.sub(_escaped, _cut(record.getMessage().rstrip()))
        line = f"{_time(record)} {record.levelname} {record.name}{named} {message}"
        if record.exc_info:
            line += "\n" + _cut(self.formatException(record.exc_info))
        return line


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _escaped(control: re.Match[str]) -> str:
    return control[0].encode("unicode_escape").decode()


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]} … {len(text) - 2 * half} characters left out … {text[-half:]}"
