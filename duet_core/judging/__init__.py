"""Judging what a bundle answers beside the class: refusals, probabilities, sets of classes, heat maps."""
