"""Exit 0 when the service in this container can classify photos: what HEALTHCHECK runs. Standard library only."""

from __future__ import annotations

import http.client
import json
import sys

PORT = 8000


def main(port: int = PORT) -> int:
    """Ask /readyz and say what it answers; 1 when the service is not ready or does not answer within 3 s."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        said = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        sys.stdout.write(f"no answer from 127.0.0.1:{port}/readyz: {error}\n")
        return 1
    finally:
        connection.close()
    sys.stdout.write(f"{answer.status}: {said.get('detail') or said.get('status')}\n")
    return int(answer.status != 200)


if __name__ == "__main__":
    sys.exit(main())
