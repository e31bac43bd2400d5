"""Resolve the dependencies of pyproject.toml into requirements/*.txt, all of it pinned."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
Pins = dict[str, str]

OLDER_PYTHONS = ('async-timeout==5.0.1; python_full_version < "3.11.3"  # redis, on Python 3.11.0 to 3.11.2',)
"""Pins that the Python at work does not need but an older allowed one does; pip evaluates markers only for itself."""


BESIDE_SERVE = {
    "client": "What duet_client and the commands that ask a running service need besides serve.txt.",
    "otel": "What the service needs besides serve.txt to send traces and metrics to a collector.",
    "bulk": "What `duet bulk` needs besides serve.txt; `--ray` needs test.txt or ray[data].",
    "docs": "What the documentation's site needs besides serve.txt.",
    "fuzz": "What `make fuzz` needs besides serve.txt.",
    "audit": "What `make audit` needs besides serve.txt.",
}
"""Extra of pyproject.toml -> what its requirements file is for."""


def canonical(name: str) -> str:
    """The spelling of a package name that PyPI compares by."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(path: Path) -> Pins:
    """Package name -> version of the unconditional pins of a requirements file; none where the file is missing."""
    lines = path.read_text().splitlines() if path.exists() else []
    pins = (line.split("==") for line in lines if "==" in line and ";" not in line)
    return {canonical(name): version for name, version in pins}


def resolve(requirements: Sequence[str], keep: Mapping[str, str]) -> Pins:
    """Ask pip what it would install for `requirements`, holding the packages in `keep` at their versions."""
    with tempfile.TemporaryDirectory() as folder:
        constraints, report = Path(folder, "constraints.txt"), Path(folder, "report.json")
        constraints.write_text("".join(f"{name}=={version}\n" for name, version in keep.items()))
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--only-binary=:all:", "--constraint", str(constraints), "--report", str(report), *requirements]
        subprocess.run(command, check=True)
        found = [package["metadata"] for package in json.loads(report.read_text())["install"]]
    return {canonical(package["name"]): package["version"] for package in found}


def write(name: str, purpose: str, pins: Mapping[str, str], extra: Sequence[str] = ()) -> None:
    """Write requirements/NAME.txt: what it is for, then `extra` lines, then the pins in order."""
    head = f"# {purpose}\n# Made by `make pins` from pyproject.toml; Python 3.11 and newer, Linux.\n"
    lines = [*extra, *(f"{package}=={version}" for package, version in sorted(pins.items()))]
    (FOLDER / f"{name}.txt").write_text(head + "".join(f"{line}\n" for line in lines))
    sys.stdout.write(f"requirements/{name}.txt: {len(pins)} packages\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the files; present pins stay unless ``--upgrade`` is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions instead of the present pins")
    upgrade = parser.parse_args(arguments).upgrade
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base, extras = project["dependencies"], project["optional-dependencies"]
    present = {} if upgrade else read_pins(FOLDER / "serve.txt") | read_pins(FOLDER / "test.txt")

    serve = resolve(base, present)
    write("serve", "The service and the exported model: no torch.", serve, OLDER_PYTHONS)

    tested = ("train", "dev", "docs", "otel", "bulk", "ray", "bench")
    test = resolve([*base, *(line for extra in tested for line in extras[extra])], present | serve)
    more = {package: version for package, version in test.items() if package not in serve}
    write("test", "What training, tests and checks need besides the service.", more, ["-r serve.txt"])

    for extra, purpose in BESIDE_SERVE.items():
        pins = resolve([*base, *extras[extra]], present | serve | test)
        write(extra, purpose, {package: version for package, version in pins.items() if package not in serve})

    others = {package: version for package, version in serve.items() if package != "onnxruntime"}
    gpu = resolve([*(line for line in base if not line.startswith("onnxruntime")), *extras["gpu"]], others)
    purpose = "The service on a CUDA machine: serve.txt with onnxruntime-gpu in place of onnxruntime."
    write("gpu", purpose, gpu, OLDER_PYTHONS)


if __name__ == "__main__":
    main()
