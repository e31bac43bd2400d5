"""`duet benchmark classes`: the described classes that a bundle was not trained on, for a service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from duet_core.class_names import class_ids, class_label


def run(root: Path) -> Iterator[str]:
    """Print the classes of your own folder that are not learned from, as JSON lines for `duet classes import`.

    Those are the unseen ones and the described ones without photos. A bundle exported from a training on the folder
    holds the others already. Degrees are in the order of the attributes file, which is that of the bundle.

    Args:
        root: the folder, with its attributes file and splits.yaml.

    Raises BenchmarkError with every mistake in the folder, FileNotFoundError when there is no split yet.
    """
    from duet_core.benchmarks.folder_reading import read_folder
    from duet_core.benchmarks.folder_split import SPLIT_FILE
    from duet_core.benchmarks.image_folder import refuse

    folder = read_folder(root)
    refuse(folder)
    if folder.split is None or folder.described is None:
        raise FileNotFoundError(f"no {root / SPLIT_FILE}; run: duet benchmark split {root}")
    seen = [name for name in folder.classes if folder.split.train.get(name)]
    others = [name for name in folder.described.names if name not in seen]
    ids = class_ids([class_label(name) for name in (*seen, *others)])[len(seen) :]
    for name, own, row in zip(others, ids, folder.rows(tuple(others)), strict=True):
        degrees = [float(str(degree)) for degree in folder.described.raw[row]]
        yield json.dumps({"id": own, "label": class_label(name), "attributes": degrees}, ensure_ascii=False)
