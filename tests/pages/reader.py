"""A reader who types a page's blocks one after the other into one shell, in a copy of the repository."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pages.blocks import ROOT, Block
from tests.pages.shown import problems

DATA = "../shared/data"
ACTIVATE = "source .venv/bin/activate"

START = """set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
ready() {
  for _ in $(seq 300); do curl -sf localhost:PORT/readyz >/dev/null && return 0; sleep 0.2; done
  cat serve.log >&2; return 1
}
"""
BLOCK = "echo {line} > ../at\n{{\n{script}\n}} > ../{line}.out 2> ../{line}.err\n"


def data_folder() -> Path:
    """Where the benchmark data lie, or would lie."""
    return Path(os.environ.get("DUET_DATA", ROOT.parent / "shared" / "data"))


def repository_copy(folder: Path) -> Path:
    """A folder that looks like the repository, with the benchmark data beside it where they are on this machine.

    What commands write into the folder itself stays out of the repository.
    """
    copy = folder / "repository"
    copy.mkdir()
    for entry in (*(path for path in ROOT.iterdir() if not path.name.startswith(".")), ROOT / ".venv"):
        if entry.name not in ("build", "runs", "report", "stats") and entry.exists():
            (copy / entry.name).symlink_to(entry)
    if not (copy / ".venv").exists():  # the tests run in an environment that lies elsewhere
        (copy / ".venv").symlink_to(sys.prefix)
    if data_folder().is_dir():
        (folder / "shared").mkdir()
        (folder / "shared" / "data").symlink_to(data_folder())
    return copy


def environment(folder: Path, activated: bool = False, port: int = 8000) -> dict[str, str]:
    """A reader's PATH, without the environment that runs the tests unless `activated`; a store of the test's own."""
    own = Path(sys.executable).parent
    hidden = {str(own), str(ROOT / ".venv" / "bin")}
    path = os.pathsep.join(one for one in os.environ["PATH"].split(os.pathsep) if one not in hidden)
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{own}{os.pathsep}{path}" if activated else path
    given = {name: value for name, value in os.environ.items() if not name.startswith("DUET_")}
    store = f"sqlite:///{folder / 'classes.sqlite'}"
    server = f"http://localhost:{port}"  # in place of the commands' own default
    return given | {"PATH": path, "DUET_STORE": store, "DUET_SERVER": server, "OMP_NUM_THREADS": "1"}


def runnable(blocks: Sequence[Block], page: str) -> list[Block]:
    """The blocks that are run: not those with a reason, and not those whose data this machine lacks."""
    chosen = []
    for block in blocks:
        if DATA in block.script and not data_folder().is_dir():
            logging.getLogger(__name__).warning("%s:%d not run: no benchmark data", page, block.line)
        elif block.kind in ("sh", "python") and block.script and not block.reason:
            chosen.append(block)
    return chosen


def script(blocks: Sequence[Block], port: int) -> str:
    """The whole page as one script for bash; a service that it starts in the background is waited for."""
    parts = [START]
    for block in blocks:
        text = block.script
        if block.kind == "python":
            text = f"{sys.executable} - <<'END-OF-PROGRAM'\n{text}\nEND-OF-PROGRAM"
        text = re.sub(r"(\bduet serve\b[^&\n]*?) *&$", r"\1 --port PORT > serve.log 2>&1 &\nready", text, flags=re.M)
        parts.append(BLOCK.format(line=block.line, script=text))
    return re.sub(r"(localhost|127\.0\.0\.1):8000", r"\1:PORT", "".join(parts)).replace("PORT", str(port))


def read(page: str, markdown_blocks: Sequence[Block], folder: Path, port: int, activated: bool) -> dict[int, str]:
    """Run a page in a new `folder`; what each block printed, by its line.

    Fails the test at the first block that ends with an error, and with every block that printed other than shown.
    """
    chosen = runnable(markdown_blocks, page)
    copy = repository_copy(folder)
    done = subprocess.run(
        ["bash", "-c", script(chosen, port)],
        cwd=copy,
        env=environment(folder, activated, port),
        stdin=subprocess.DEVNULL,
        timeout=550,
        check=False,
    )
    at = int((folder / "at").read_text()) if (folder / "at").exists() else 0
    printed = {block.line: (folder / f"{block.line}.out").read_text() for block in chosen if block.line <= at}
    if done.returncode:
        pytest.fail(f"{page}:{at} ended with {done.returncode}\n{printed[at]}\n{(folder / f'{at}.err').read_text()}")
    found = {block.line: problems(block.shown, printed[block.line]) for block in chosen if block.shown}
    if told := [f"{page}:{line} {one}" for line, said in found.items() for one in said]:
        pytest.fail("\n".join(told))
    return printed


@contextmanager
def service(folder: Path, port: int) -> Iterator[None]:
    """``duet serve`` on the demo bundle, ready, with an empty store of its own."""
    log = folder / "service.log"
    command = [sys.executable, "-m", "duet_core.cli", "serve", "--port", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(folder), stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_until_ready(f"http://localhost:{port}/readyz", process, log)
            yield
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when `address` answers 200; fail with the server's log after 60 s or when it ended."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"the server did not become ready:\n{log.read_text()}")
