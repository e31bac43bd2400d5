"""What a model answers for every prompt set before it has seen a photo, and how to take it back. numpy, no torch."""

from __future__ import annotations

import numpy as np

from duet_core.classes import BoolArray, FloatArray


def prior_correction(scores: FloatArray, present: BoolArray, degree: FloatArray) -> FloatArray:
    """(A,) factors, the largest 1, after which the scores are on average those of the classes.

    A mask is filled with what the photo shows and with what the model believes before it looks. Rare attributes are
    masked far more often than they occur (Eq. 2), and the belief in them grows with training beyond that. So it is
    measured: the mean score of an attribute over training photos. Bayes' rule puts its share in the classes in that
    place. Attributes that no seen class has, which were never masked, get 0.

    Args:
        scores: (n, A) attribute scores of training photos, at least 0.
        present: (C, A) bool, degree: (C, A) in 0…1, of the seen classes.

    Raises ValueError when shapes do not belong together, or an attribute of the classes has a mean score of 0.
    """
    if scores.ndim != 2 or not len(scores) or present.shape != degree.shape or scores.shape[1] != present.shape[1]:
        raise ValueError(
            f"got scores {scores.shape}, present {present.shape}, degree {degree.shape}; expected (n, A), (C, A), "
            "(C, A) with n above 0, such as (500, 312), (94, 312), (94, 312)"
        )
    believed = scores.mean(axis=0, dtype=np.float64)  # (A,)
    share = (present * degree).mean(axis=0, dtype=np.float64)  # (A,)
    if (mute := (share > 0) & (believed <= 0)).any():
        raise ValueError(f"attributes {np.flatnonzero(mute)[:5].tolist()} of the classes have no score in any photo")
    factor = np.divide(share, believed, out=np.zeros_like(share), where=share > 0)
    return np.asarray(factor / factor.max(), dtype=np.float32)
