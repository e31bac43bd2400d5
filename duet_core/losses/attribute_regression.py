"""L_ar (Eq. 7): the squared distance of the predicted attributes from the class vector."""

from __future__ import annotations

from torch import Tensor


def attribute_regression(v: Tensor, z: Tensor) -> Tensor:
    """||v - z||^2: the sum over the attributes, the mean over the batch (Eq. 7).

    Args:
        v: (B, A) predicted attribute vectors.
        z: (B, A) class vector (unit L2 norm) of each image's class.

    Raises:
        ValueError: the shapes differ; broadcasting one class vector over a batch would hide a mistake.
    """
    if v.ndim != 2 or v.shape != z.shape:
        raise ValueError(f"got v {tuple(v.shape)} and z {tuple(z.shape)}; expected both (B, A), for example (32, 312)")
    return (v - z).square().sum(dim=1).mean()
