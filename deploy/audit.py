"""`make audit`: asks an advisory database about every pinned package, and says so when it gave no answer.

pip-audit alone ends well where a mirror knows no package, having asked about none: here that is a failure of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CLEAN, WEAK, NOT_ASKED = 0, 1, 3
"""Exit status: nothing is known against any package; something is; the database did not answer for every package."""

ACCEPTED: Mapping[str, str] = {}
"""Id of a weakness that does not touch us -> why. Looked at again with every renewal of the pins."""


@dataclass(frozen=True)
class Finding:
    """A weakness of a pinned package."""

    file: str
    package: str
    weakness: str
    fixed_in: str

    def __str__(self) -> str:
        return f"{self.file}: {self.package} has {self.weakness}, fixed in {self.fixed_in or 'no release yet'}"


Ask = Callable[[Path], str]


def ask_pip_audit(file: Path, service: str) -> str:
    """What pip-audit prints of one requirements file: JSON, or nothing where it could not ask."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(file), "--disable-pip", "--no-deps"]
    command += ["--format", "json", "--progress-spinner", "off", "--vulnerability-service", service]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def audited(file: Path, printed: str) -> tuple[list[Finding], list[str]]:
    """The weaknesses found in a file, and what was not asked about."""
    try:
        packages: list[dict[str, Any]] = json.loads(printed)["dependencies"]
    except (ValueError, KeyError):
        return [], [f"{file.name}: the database did not answer"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    unasked = [f"{file.name}: unknown to the database: {', '.join(skipped)}"] if skipped else []
    return list(_findings(file, packages)), unasked


def _findings(file: Path, packages: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for package in packages:
        for weakness in package.get("vulns", []):
            if not {weakness["id"], *weakness.get("aliases", [])} & ACCEPTED.keys():
                named = f"{package['name']} {package['version']}"
                yield Finding(file.name, named, weakness["id"], ", ".join(weakness.get("fix_versions", [])))


def audit(files: Sequence[Path], ask: Ask, tell: Callable[[str], object]) -> int:
    """Ask about the packages of each file; returns the exit status."""
    found: list[Finding] = []
    unasked: list[str] = []
    for file in files:
        weak, missing = audited(file, ask(file))
        found += weak
        unasked += missing
        tell(f"{file.name}: {len(weak)} known weaknesses" if not missing else f"{file.name}: NOT AUDITED")
    for line in (*found, *unasked):
        tell(str(line))
    if found:
        tell("renew the pins (make pins UPGRADE=1), or say in deploy/audit.py why a weakness does not touch us")
        return WEAK
    if unasked:
        tell("this audit says nothing: run it where https://pypi.org or https://api.osv.dev can be reached")
        return NOT_ASKED
    return CLEAN


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit requirements/*.txt, or the files named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=sorted((ROOT / "requirements").glob("*.txt")))
    parser.add_argument("--service", choices=("pypi", "osv"), default="osv", help="which database is asked")
    asked = parser.parse_args(arguments)
    return audit(
        asked.files,
        lambda file: ask_pip_audit(file, asked.service),
        lambda line: sys.stdout.write(f"{line}\n"),
    )


if __name__ == "__main__":
    sys.exit(main())
