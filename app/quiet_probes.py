"""The access log without probes that were answered: they come every few seconds and would hide what people ask."""

from __future__ import annotations

import logging

PROBES = frozenset({"/livez", "/readyz", "/metrics"})


class QuietProbes(logging.Filter):
    """Lets every line of uvicorn's access log through but those of probes that were answered without an error."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written; its arguments are client, method, path, HTTP version and status."""
        match record.args:
            case (_, _, str(path), _, int(status)):
                return status >= 400 or path.partition("?")[0] not in PROBES
        return True
