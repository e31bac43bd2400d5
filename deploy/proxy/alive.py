"""Exit 0 when the proxy answers and has a replica that can classify photos: what HEALTHCHECK runs."""

from __future__ import annotations

import sys
import urllib.request


def main(address: str = "http://127.0.0.1:8404/ready") -> int:
    """1 when the proxy does not answer, or has no replica that is ready."""
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return int(answer.status != 200)
    except OSError as error:
        sys.stdout.write(f"{address}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
