"""What the three official benchmarks are: their counts, and the paper's Table 2."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Official:
    """Counts of one benchmark in the Proposed Split, and where its attribute names come from.

    Attributes:
        name: "CUB", "SUN" or "AWA2".
        attributes, prompts, classes, seen: numbers of each.
        photos, trainval, test_seen, test_unseen: numbers of photos.
        names_file: the file with the official attribute names, which the xlsa17 archive lacks.
        names_from: the archive that holds it.
    """

    name: str
    attributes: int
    prompts: int
    classes: int
    seen: int
    photos: int
    trainval: int
    test_seen: int
    test_unseen: int
    names_file: str
    names_from: str


CUB = Official("CUB", 312, 28, 200, 150, 11_788, 7_057, 1_764, 2_967, "attributes.txt", "CUB_200_2011")
SUN = Official("SUN", 102, 14, 717, 645, 14_340, 10_320, 2_580, 1_440, "attributes.mat", "SUNAttributeDB")
AWA2 = Official("AWA2", 85, 12, 50, 40, 37_322, 23_527, 5_882, 7_913, "predicates.txt", "Animals_with_Attributes2")

OFFICIAL = (CUB, SUN, AWA2)

TABLE_2 = {
    "CUB": ("28", "312", "200 (150 / 50)", "7,057 / 4,731"),
    "SUN": ("14", "102", "717 (645 / 72)", "10,320 / 4,020"),
    "AWA2": ("12", "85", "50 (40 / 10)", "23,527 / 13,795"),
    "AWA2-KG": ("17", "120", "50 (40 / 10)", "23,527 / 13,795"),
}
"""The paper's Table 2: prompt sets, attributes, classes (seen / unseen), photos for training / testing."""


def table_2(
    name: str, *, prompts: int, attributes: int, classes: str, photos: tuple[int, int]
) -> list[tuple[str, str, str]]:
    """Rows (what, here, in the paper) of Table 2 for the benchmark `name`.

    Args:
        name: a key of `TABLE_2`; of another the paper says nothing.
        prompts: number of prompt sets here.
        attributes: number of attributes here.
        classes: classes here, as "200 (150 / 50)".
        photos: training and test photos here.
    """
    here = (str(prompts), str(attributes), classes, f"{photos[0]:,} / {photos[1]:,}")
    heads = ("prompt sets", "attributes", "classes (seen / unseen)", "photos (training / testing)")
    return list(zip(heads, here, TABLE_2.get(name, ("",) * len(heads)), strict=True))
