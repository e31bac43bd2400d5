"""A bundle at work: numpy, onnxruntime, tokenizers and Pillow only, never torch."""

from duet_core.runtime.bundle import Bundle, BundleError, open_bundle
from duet_core.runtime.calibration import Calibration
from duet_core.runtime.class_vector import DegreesError, class_vector, degrees_from_mapping, degrees_from_vector
from duet_core.runtime.encoder import Encoded, Encoder, Look
from duet_core.runtime.evidence import Evidence
from duet_core.runtime.execution import describe_execution
from duet_core.runtime.grounding import GroundedAttribute, GroundedSet, ground
from duet_core.runtime.photo_parts import PhotoError
from duet_core.runtime.preprocess import Preprocessing, load_rgb
from duet_core.runtime.ranking import rank_calibrated
from duet_core.runtime.scoring import (
    BlockView,
    Candidates,
    ClassBlock,
    ClassSet,
    Decision,
    Prediction,
    Ranking,
    RankingError,
    Scores,
    contributions,
    rank,
    score_candidates,
)
from duet_core.runtime.sessions import CPU, CUDA, Choice, Execution, ProviderError
from duet_core.runtime.text import FoundAttribute, Interpretation, PromptError, TextInterpreter, UnknownKey

__all__ = [
    "CPU",
    "CUDA",
    "BlockView",
    "Bundle",
    "BundleError",
    "Calibration",
    "Candidates",
    "Choice",
    "ClassBlock",
    "ClassSet",
    "Decision",
    "DegreesError",
    "Encoded",
    "Encoder",
    "Evidence",
    "Execution",
    "FoundAttribute",
    "GroundedAttribute",
    "GroundedSet",
    "Interpretation",
    "Look",
    "PhotoError",
    "Prediction",
    "Preprocessing",
    "PromptError",
    "ProviderError",
    "Ranking",
    "RankingError",
    "Scores",
    "TextInterpreter",
    "UnknownKey",
    "class_vector",
    "contributions",
    "degrees_from_mapping",
    "degrees_from_vector",
    "describe_execution",
    "ground",
    "load_rgb",
    "open_bundle",
    "rank",
    "rank_calibrated",
    "score_candidates",
]
