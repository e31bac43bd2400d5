"""What the search begins with: the hostile photos, and a body of each kind. `python -m tests.fuzz.seeds FOLDER`."""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path

from tests.app.engine.hostile_photos import GROUPS
from tests.app.engine.photo_bytes import encoded, picture

MOST_BYTES = 8_192
"""Larger files slow the search down; what is special about them is tried by tests/app/engine/test_hostile_photos.py."""

FORM = (
    b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    b"photo\r\n--x--\r\n"
)
BODIES = (
    b"\0" + FORM,
    b"\0" + FORM.replace(b'"image"', b'"other"'),
    b"\0" + FORM.replace(b'filename="a.jpg"', b"filename*=UTF-8''%e2%82%ac"),
    b"\0--x\r\n\r\n\r\n--x--",
    b'\x60{"id": "painted-bunting", "attributes": {"wing color: blue": 1.0}, "n": [1, -2.5e3, null, true]}',
    b'\x60{"id": "\\ud83d\\udc26", "ttl_seconds": 1e400}',
    b"\xc0" + base64.b64encode(encoded(picture(8, 8), "PNG")),
    b"\xc0data:image/png;base64,iVBORw0KGgo=",
)


def write(folder: Path) -> None:
    """Write the seeds of each search into a folder of its own."""
    photos = (data for name, make in GROUPS.items() if name != "bomb" for _, data, _ in make())
    for name, files in (("photos", photos), ("bodies", BODIES)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for data in files:
            if len(data) <= MOST_BYTES:
                (folder / name / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
