"""Photos and classes in a plane: principal components of the class vectors, photos laid beside them.

Not t-SNE or UMAP: those would need another dependency, and their distances depend on settings; here the axes are linear
and it can be told how much of the spread they show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from duet_core.classes import IntArray
from duet_core.judging.held_out import HeldOut

DoubleArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Projection:
    """A plane. Letter key: n photos, m classes.

    Attributes:
        photos: (n, 2) unit v less their mean, on the two axes.
        classes: (m, 2) z less their mean, on the same axes.
        label: (n,) rows of `rows` that the photos belong to.
        rows: (m,) global class rows.
        explained_classes: (2,) share of the classes' spread along each axis.
        explained_photos: (2,) share of the photos' spread.
    """

    photos: DoubleArray
    classes: DoubleArray
    label: IntArray
    rows: IntArray
    explained_classes: DoubleArray
    explained_photos: DoubleArray


def principal_axes(points: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """(2, A) unit axes of greatest spread of points (m, A), and (2,) the share of it along each.

    The sign is fixed: the largest entry of an axis is positive, so that a picture is the same on every machine.
    """
    centred = points - points.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    axes, total = axes[:2], float((sizes**2).sum())
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]
    return np.asarray(axes), np.asarray(sizes[:2] ** 2 / total)


def project_unseen(held_out: HeldOut) -> Projection:
    """The unseen classes and their photos on the axes along which the unseen classes differ most."""
    rows = held_out.split.unseen_classes
    z = held_out.benchmark.classes.z[rows].astype(np.float64)
    axes, explained = principal_axes(z)
    v = held_out.unseen.v.astype(np.float64)
    v = v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12)
    centred = v - v.mean(axis=0)
    photos = centred @ axes.T
    return Projection(
        photos=photos,
        classes=(z - z.mean(axis=0)) @ axes.T,
        label=np.searchsorted(rows, held_out.unseen.label).astype(np.int64),
        rows=rows,
        explained_classes=explained,
        explained_photos=np.asarray((photos**2).sum(axis=0) / (centred**2).sum()),
    )
