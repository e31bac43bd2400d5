"""The losses of Eqs. 5-11 and 15, one per file: plain functions of tensors that return a scalar.

They compute in the type they are given; call them in float32 or float64 with autocast off, since a cosine divided by
tau = 0.05 does not survive bfloat16. None of them waits for the accelerator.
"""

from duet_core.losses.attribute_contrast import attribute_contrast
from duet_core.losses.attribute_regression import attribute_regression
from duet_core.losses.class_contrast import class_contrast
from duet_core.losses.class_cross_entropy import class_cross_entropy
from duet_core.losses.mask_reconstruction import mask_reconstruction
from duet_core.losses.self_calibration import self_calibration

__all__ = [
    "attribute_contrast",
    "attribute_regression",
    "class_contrast",
    "class_cross_entropy",
    "mask_reconstruction",
    "self_calibration",
]
