"""From the start of the process to the first 200 of /readyz, with the demo bundle: cold, warm, memory, what takes it.

``python -m benchmarks.startup`` starts `duet serve` some times. Cold: the page cache of the bundle, of the code and of
the installed packages is dropped file by file before the start (`posix_fadvise`), so that all is read from disk. Warm:
all was read before. Then one process tells what its time went to: imports, opening the bundle, the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks._machine import machine
from benchmarks.serving import results

BUNDLE = Path("models/birds")
_CODE = ("app", "duet_core")
_PHASES = """
import json, time
begun = time.perf_counter()
import app.main
imported = time.perf_counter()
from pathlib import Path
from duet_core.runtime import open_bundle
from duet_core.runtime.bundle import _check_files, _read_manifest
folder = Path("models/birds")
_check_files(folder, _read_manifest(folder)["files"])
summed = time.perf_counter()
open_bundle(folder)
opened = time.perf_counter()
print(json.dumps({"imports": imported - begun, "checksums": summed - imported, "opening": opened - summed}))
"""


@dataclass(frozen=True)
class Start:
    """One start: seconds of wall and of processor time to the first 200 of /readyz, and resident MB then."""

    seconds: float
    processor_seconds: float
    resident_mb: float


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_once(folder: Path) -> Start:
    """Start `duet serve` on the demo bundle with an empty store in `folder`, wait until it is ready, and end it."""
    port = free_port()
    environment = os.environ | {
        "DUET_STORE": f"sqlite:///{folder}/classes.sqlite",
        "DUET_SNAPSHOTS": str(folder / "snapshots"),
    }
    command = [sys.executable, "-m", "duet_core.cli", "serve", "--port", str(port), "--bundle", str(BUNDLE)]
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _is_ready(port):
            if process.poll() is not None:
                raise RuntimeError(f"duet serve ended with {process.returncode}; start it by hand to see why")
            time.sleep(0.005)
        seconds = time.perf_counter() - begun
        return Start(seconds, *_usage(process.pid))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, ConnectionError):
        return False


def _usage(pid: int) -> tuple[float, float]:
    """Processor seconds and resident MB of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def forget(files: Iterable[Path]) -> None:
    """Ask the kernel to drop these files from its page cache; what other processes map stays."""
    for file in files:
        with file.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _files() -> Iterator[Path]:
    """The bundle, our code, and the installed packages that the service imports."""
    packages = Path(sysconfig.get_paths()["purelib"]).resolve()
    wanted = ("onnxruntime", "numpy", "tokenizers", "PIL", "fastapi", "starlette", "pydantic", "uvicorn", "redis")
    for folder in (BUNDLE, *map(Path, _CODE), *(packages / name for name in wanted)):
        yield from (path for path in folder.rglob("*") if path.is_file())


def phases() -> dict[str, float]:
    """Seconds of importing the service, of the checksums, and of opening the bundle (which takes them again)."""
    done = subprocess.run([sys.executable, "-c", _PHASES], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Print the tables and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=7, help="of either kind")
    parser.add_argument("--out", type=Path, default=results.FOLDER, help="folder of startup.json")
    asked = parser.parse_args()
    starts: dict[str, list[Start]] = {"cold": [], "warm": []}
    for _ in range(asked.starts):
        for kind, taken in starts.items():
            if kind == "cold":
                forget(_files())
            with tempfile.TemporaryDirectory() as folder:
                taken.append(start_once(Path(folder)))
    print(f"{machine()}; {asked.starts} starts of either kind")
    print("| start | to ready s, median | least | processor s, median | resident MB |\n|---|---|---|---|---|")
    for kind, taken in starts.items():
        seconds, processor = [one.seconds for one in taken], [one.processor_seconds for one in taken]
        resident = statistics.median(one.resident_mb for one in taken)
        print(
            f"| {kind} | {statistics.median(seconds):.2f} | {min(seconds):.2f} | {statistics.median(processor):.2f} "
            f"| {resident:.0f} |"
        )
    rounds = [phases() for _ in range(asked.starts)]
    least = {name: min(one[name] for one in rounds) for name in rounds[0]}
    print("least seconds, warm: " + ", ".join(f"{name} {value:.2f}" for name, value in least.items()))
    data = {"machine": machine(), "starts": {k: [asdict(one) for one in taken] for k, taken in starts.items()}}
    results.save("startup", data | {"phases": least}, asked.out)


if __name__ == "__main__":
    main()
