"""``python -m benchmarks [NAME …]``: run the named benchmarks, or all, one after the other, each in its own process."""

from __future__ import annotations

import argparse
import pkgutil
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run each ``benchmarks/NAME.py`` as a program; the answer is 1 when one of them failed."""
    known = sorted(
        module.name
        for module in pkgutil.iter_modules([str(Path(__file__).parent)])
        if not module.ispkg and not module.name.startswith("_")  # a package holds parts of benchmarks
    )
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"one of: {', '.join(known)} (default: all)")
    names = parser.parse_args().name or known
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"got {', '.join(unknown)}; allowed are {', '.join(known)}")
    failed = []
    for name in names:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
