"""What a training step draws: target attributes, pruned sentences and contrastive partners (Eqs. 1, 2, 12, 16-20)."""

from duet_core.sampling.contrast import ContrastSampler, Partners
from duet_core.sampling.masking import TargetSampler, prune, sampling_correction
from duet_core.sampling.sentences import SentenceBatch, SentenceBuilder

__all__ = [
    "ContrastSampler",
    "Partners",
    "SentenceBatch",
    "SentenceBuilder",
    "TargetSampler",
    "prune",
    "sampling_correction",
]
