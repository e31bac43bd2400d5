"""What attacks and faults do to the service: every scenario of tests/faults, counted.

``python -m benchmarks.faults`` runs those tests, about two minutes, and writes `benchmarks/results/faults.json`;
``python -m benchmarks.report`` makes the table of it. A scenario that this machine cannot run (mounting a disk needs
root) is missing in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.serving import results
from benchmarks.serving.machine import describe

TESTS = Path("tests/faults")
FOLDER = "DUET_FAULTS"
"""Environment variable that tells the scenarios where to leave their rows (tests/faults/report.py)."""


def main() -> int:
    """Run, gather, write; the answer is pytest's, and nothing is written when a scenario failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=results.FOLDER, help="folder of faults.json")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-rs", str(TESTS)]
        failed = subprocess.run(command, env=os.environ | {FOLDER: folder}, check=False).returncode
        if failed:
            return failed
        rows = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(Path(folder).glob("*.json"))]
    print(f"written: {results.save('faults', {'machine': describe(), 'rows': rows}, asked.out).name}, {len(rows)} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
