"""``python -m benchmarks.report``: write the measured parts of docs/performance.md and its pictures anew."""

from __future__ import annotations

from benchmarks.report.page import DOCS, PAGE, pictures, rewritten
from benchmarks.serving.results import FOLDER


def main() -> None:
    """Say what was written."""
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), FOLDER), encoding="utf-8")
    drawn = pictures(FOLDER)
    for picture in drawn:
        (DOCS / f"{picture.name}.svg").write_text(picture.svg, encoding="utf-8")
    print(f"written: {PAGE.name}, {', '.join(f'{picture.name}.svg' for picture in drawn) or 'no pictures'}")


if __name__ == "__main__":
    main()
