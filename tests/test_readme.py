"""The README's commands do what it shows: every ``sh`` block is run, or says why it is not.

- A block right under ``<!-- not run: reason -->`` is not run.
- A line ``make TARGET`` is not run (a ``make`` is what runs this test); its target must exist.
- ``blackbird.jpg`` stands for a photo of CUB127; blocks that need it are left out, with a note, where there is none.
- The rest runs in bash, in the repository root, against a server of its own in place of ``localhost:8000``.
- A ``json`` block right after a ``sh`` block is the output of its last line. ``"…"`` in it stands for any value; as the
  last element of a list, or as a key, for whatever more there is. Numbers agree to 0.02.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
ANY = "…"
PHOTO = "blackbird.jpg"
FENCE = re.compile(r"(?:<!-- not run: (?P<reason>[^>]+?) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)\n```", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One ``sh`` block: its place, its lines but those of make, what it should print, why it is not run."""

    line: int
    script: str
    targets: tuple[str, ...]
    shown: str | None
    reason: str | None


def blocks(markdown: str) -> list[Block]:
    """The ``sh`` blocks of a page, each with the ``json`` block that follows it directly."""
    found: list[Block] = []
    fences = list(FENCE.finditer(markdown))
    for fence, after in itertools.zip_longest(fences, fences[1:]):
        if fence["kind"] != "sh":
            continue
        adjacent = after and after["kind"] == "json" and not markdown[fence.end() : after.start()].strip()
        lines = fence["text"].splitlines()
        made = [line.split("#")[0].split()[1:] for line in lines if line.startswith("make ")]
        targets = tuple(word for words in made for word in words if "=" not in word)
        script = "\n".join(line for line in lines if not line.startswith("make ") and line.strip())
        line = markdown[: fence.start("kind")].count("\n") + 1
        found.append(Block(line, script, targets, after["text"] if adjacent else None, fence["reason"]))
    return found


def differences(shown: Any, real: Any, where: str = "answer") -> Iterator[str]:
    """Every place where `real` is not what the README shows."""
    if shown == ANY:
        return
    if isinstance(shown, dict) and isinstance(real, dict):
        yield from object_differences(shown, real, where)
    elif isinstance(shown, list) and isinstance(real, list):
        yield from list_differences(shown, real, where)
    elif isinstance(shown, float) and isinstance(real, int | float):
        if not math.isclose(shown, real, abs_tol=0.02):
            yield f"{where}: {real}, shown {shown}"
    elif shown != real:
        yield f"{where}: {real!r}, shown {shown!r}"


def object_differences(shown: dict[str, Any], real: dict[str, Any], where: str) -> Iterator[str]:
    """As `differences`; the key ``"…"`` lets the answer have more keys than are shown."""
    wanted = shown.keys() - {ANY}
    if missing := wanted - real.keys():
        yield f"{where}: without {sorted(missing)}"
    if ANY not in shown and (more := real.keys() - wanted):
        yield f"{where}: also {sorted(more)}"
    for key in sorted(wanted & real.keys()):
        yield from differences(shown[key], real[key], f"{where}.{key}")


def list_differences(shown: list[Any], real: list[Any], where: str) -> Iterator[str]:
    """As `differences`; a last element ``"…"`` lets the answer have more elements than are shown."""
    wanted = shown[:-1] if shown[-1:] == [ANY] else shown
    if len(real) < len(wanted) or (len(real) > len(wanted) and wanted is shown):
        yield f"{where}: {len(real)} elements, shown {len(wanted)}"
    for row, (one, other) in enumerate(zip(wanted, real, strict=False)):
        yield from differences(one, other, f"{where}[{row}]")


def blackbird() -> Path | None:
    """The photo that the page calls blackbird.jpg; None where the benchmark data are missing."""
    data = Path(os.environ.get("DUET_DATA", ROOT.parent / "shared" / "data"))
    photo = data / "CUB127" / "images" / "012.Yellow_headed_Blackbird" / "Yellow_Headed_Blackbird_0003_8337.jpg"
    return photo if photo.is_file() else None


def last_answer(printed: str) -> Any:
    """The last of the JSON documents that a block printed one after the other."""
    answer, rest = None, printed.strip()
    while rest:
        answer, end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].lstrip()
    return answer


def environment(folder: Path) -> dict[str, str]:
    """A PATH as a reader's shell has it, without the environment that runs the tests; a store of the test's own."""
    own = {str(Path(sys.executable).parent), str(ROOT / ".venv" / "bin")}
    path = os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if folder not in own)
    return os.environ | {"PATH": path, "DUET_STORE": f"sqlite:///{folder / 'readme.sqlite'}"}


def unfindable(page: str) -> list[str]:
    """The `duet …` commands of a page's text and tables that a shell finds only in an activated environment."""
    if "source .venv/bin/activate" in page:
        return []
    return re.findall(r"(?:^|\| `)duet [a-z]+[^`\n]*", page, re.MULTILINE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``localhost:PORT`` of ``duet serve``, ready, with an empty store."""
    folder = tmp_path_factory.mktemp("readme")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "log.txt"
    command = [sys.executable, "-m", "duet_core.cli", "serve", "--port", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(folder), stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_until_ready(f"http://localhost:{port}/readyz", process, log)
            yield f"localhost:{port}"
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


def readme() -> list[Block]:
    """The blocks of the repository's README."""
    return blocks((ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", ["README.md", "training/README.md", "docs/clients.md", "docs/own-folder.md"])
def test_a_shell_finds_the_commands(page: str) -> None:
    assert unfindable((ROOT / page).read_text(encoding="utf-8")) == []
    assert unfindable("| it | `duet results runs` |\nduet predict x.png\n") == [
        "| `duet results runs",
        "duet predict x.png",
    ]


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {target for block in readme() for target in block.targets}
    assert {"serve", "test"} <= named <= known


def test_the_commands_run_and_answer_as_shown(server: str, tmp_path: Path) -> None:
    """In the order of the page, because a block may use what an earlier one registered."""
    photo = blackbird()
    for block in readme():
        if block.reason or not block.script:
            continue
        if PHOTO in block.script and photo is None:
            logging.getLogger(__name__).warning("README.md:%d not run: no benchmark data", block.line)
            continue
        script = block.script.replace("localhost:8000", server).replace(PHOTO, str(photo))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"README.md:{block.line}\n{done.stdout}\n{done.stderr}"
        if block.shown is not None:
            found = list(differences(json.loads(block.shown), last_answer(done.stdout)))
            assert found == [], f"README.md:{block.line}\n{done.stdout}"


PAGE = """
```sh
make serve PORT=9000   # look at /docs
curl localhost:8000/livez
```
```json
{"status": "ok", "…": "…"}
```
<!-- not run: needs a CUDA machine -->
```sh
pip install -r requirements/gpu.txt
```
"""


def test_blocks_are_found_with_their_output_and_their_reason() -> None:
    first, second = blocks(PAGE)
    assert (first.line, first.script, first.targets, first.reason) == (2, "curl localhost:8000/livez", ("serve",), None)
    assert first.shown is not None
    assert json.loads(first.shown) == {"status": "ok", ANY: ANY}
    assert (second.reason, second.shown) == ("needs a CUDA machine", None)


@pytest.mark.parametrize(
    ("shown", "real", "said"),
    [
        ({"a": ANY}, {"a": [1, 2]}, []),
        ({"a": 1, ANY: ANY}, {"a": 1, "b": 2}, []),
        ({"a": 1}, {"a": 1, "b": 2}, ["answer: also ['b']"]),
        ({"a": 1, "b": 2}, {"a": 1}, ["answer: without ['b']"]),
        ([0.5, ANY], [0.51, 0.3], []),
        ([0.5], [0.51, 0.3], ["answer: 2 elements, shown 1"]),
        ([0.5], [0.6], ["answer[0]: 0.6, shown 0.5"]),
        ({"seen": True}, {"seen": False}, ["answer.seen: False, shown True"]),
    ],
)
def test_an_answer_is_compared_with_what_is_shown(shown: Any, real: Any, said: list[str]) -> None:
    assert list(differences(shown, real)) == said


def test_the_last_of_several_answers_is_the_one_shown() -> None:
    assert last_answer('{"a": 1}\n{"b":\n 2}{"c": 3}\n') == {"c": 3}
