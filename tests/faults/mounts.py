"""A small disk for one service: a tmpfs in a mount namespace of its own, which can be filled and made read-only."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from tests.faults.server import Server

SMALL = "size=1m"


@functools.cache
def not_here() -> str:
    """Why this machine lets nobody mount anything, or ""."""
    asked = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        tried = subprocess.run(asked, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unshare is not installed (package util-linux)"
    return tried.stderr.strip()


def on_small_disk(folder: Path) -> list[str]:
    """A prefix for Server: `folder` is an empty disk of 1 MB, which nobody but the service sees."""
    return ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o {SMALL} tmpfs "$0" && exec "$@"', str(folder)]


def read_only(folder: Path) -> list[str]:
    """A prefix for Server: `folder` can be read, and not be written to until `writable`."""
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, str(folder)]


def writable(service: Server, folder: Path) -> None:
    """Undo `read_only` under the running service."""
    entered = ["nsenter", f"--target={service.pid}", "--mount"]
    subprocess.run([*entered, "mount", "-o", "remount,bind,rw", str(folder)], check=True)


def seen_by(service: Server, path: Path) -> Path:
    """The same path, as the service sees it."""
    return Path(f"/proc/{service.pid}/root{path}")


def fill(folder: Path) -> Path:
    """Write until nothing fits any more; returns the file that takes the room."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as filler:
        try:
            while filler.write(b"\0" * 4096) == 4096:
                pass
        except OSError:
            return file
    return file
