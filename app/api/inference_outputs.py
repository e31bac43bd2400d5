"""The outputs of the Open Inference Protocol: which there are, which are asked for, and how rankings become tensors."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Literal

import numpy as np
from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.api.classify import check_candidates
from app.api.deps import snapshot_of
from app.api.tensors import Datatype, InferRequest, Tensor
from app.engine.image_states import ImageState
from app.patterns import SLUG
from app.problems import Problem, from_errors
from app.registry.follower import DEFAULT_SPACE
from app.service import Service
from duet_core.runtime import Candidates, Prediction, Ranking

Side = Literal["N", "K", "A"]
"""N photos, K classes for each, A attributes."""

OUTPUTS: dict[str, tuple[Datatype, tuple[Side, ...]]] = {
    "class_id": ("BYTES", ("N", "K")),
    "label": ("BYTES", ("N", "K")),
    "seen": ("BOOL", ("N", "K")),
    "score": ("FP32", ("N", "K")),
    "calibrated_score": ("FP32", ("N", "K")),
    "probability": ("FP32", ("N", "K")),
    "accepted": ("BOOL", ("N",)),
    "image_id": ("BYTES", ("N",)),
    "attributes": ("FP32", ("N", "A")),
}
"""Name -> datatype and shape. `accepted` is the decision, `image_id` is for GET /explain, `attributes` is v."""

_OF_PROTOCOL = ("binary_data_output", "sequence_id", "sequence_start", "sequence_end", "priority", "timeout")
"""Request parameters that clients send to any server; only the first means something here."""


class InferParameters(BaseModel):
    """What a request may say beside its tensors."""

    model_config = ConfigDict(extra="forbid", strict=True)

    top_k: int = Field(default=5, ge=1, le=50)
    candidates: Candidates = "all"
    space: str = Field(default=DEFAULT_SPACE, pattern=SLUG)


def parameters_of(asked: InferRequest) -> InferParameters:
    """The parameters of a request. Raises Problem invalid-request."""
    own = {name: value for name, value in asked.parameters.items() if name not in _OF_PROTOCOL}
    try:
        return InferParameters.model_validate(own)
    except ValidationError as error:
        raise from_errors("invalid-request", error.errors(include_url=False)) from None


def outputs_of(asked: InferRequest) -> dict[str, bool]:
    """Outputs wanted, in the order asked for, and whether each is sent raw. Raises Problem invalid-request."""
    by_default = asked.parameters.get("binary_data_output") is True
    if not asked.outputs:
        return dict.fromkeys(OUTPUTS, by_default)
    names = [output.name for output in asked.outputs]
    wrong = sorted({name[:40] for name in names if name not in OUTPUTS or names.count(name) > 1})
    if wrong:
        detail = f"The outputs {wrong} do not exist or are asked for twice."
        raise Problem("invalid-request", detail, {"got": wrong, "allowed": list(OUTPUTS)})
    for output in asked.outputs:
        if foreign := sorted(output.parameters.keys() - {"binary_data"}):
            detail = f"Output {output.name!r}: the parameters {[name[:40] for name in foreign]} are not served."
            raise Problem("invalid-request", detail, {"allowed": ["binary_data"]})
    return {output.name: output.parameters.get("binary_data", by_default) is True for output in asked.outputs}


async def classified(
    images: list[ImageState],
    wanted: Collection[str],
    parameters: InferParameters,
    response: Response,
    service: Service,
) -> tuple[dict[str, Tensor], int]:
    """The outputs wanted for N >= 1 photos, all from one snapshot, and its revision.

    Raises Problem no-unseen-classes.
    """
    snapshot = await snapshot_of(service, parameters.space, response)
    check_candidates(snapshot, parameters.candidates)
    rankings: list[Ranking] = []
    for image in images:
        ranking = await service.rank(
            image,
            snapshot.classes,
            top_k=parameters.top_k,
            candidates=parameters.candidates,
            gamma=service.gamma(snapshot),
        )
        service.decided(ranking.decision)
        rankings.append(ranking)
    ids = [await service.states.keep(image) for image in images] if "image_id" in wanted else []
    outputs = {name: _tensor(name, rankings, images, ids) for name in wanted}
    return outputs, snapshot.revision


_OF_PREDICTION: dict[str, Callable[[Prediction], Any]] = {
    "class_id": lambda found: found.class_id,
    "label": lambda found: found.label,
    "seen": lambda found: found.seen,
    "score": lambda found: found.score,
    "calibrated_score": lambda found: found.calibrated_score,
    "probability": lambda found: found.probability,
}


def _tensor(name: str, rankings: list[Ranking], images: list[ImageState], ids: list[str]) -> Tensor:
    kind, _ = OUTPUTS[name]
    if name == "attributes":
        v = np.stack([image.v for image in images])  # (N, A)
        return Tensor(kind, v.shape, v)
    if name == "image_id":
        return Tensor(kind, (len(ids),), ids)
    if name == "accepted":
        return Tensor(kind, (len(rankings),), np.array([ranking.decision.accepted for ranking in rankings]))
    read = _OF_PREDICTION[name]
    rows = [[read(found) for found in ranking.predictions] for ranking in rankings]  # (N, K)
    shape = (len(rows), len(rows[0]))
    if kind == "BYTES":
        return Tensor(kind, shape, [value for row in rows for value in row])
    return Tensor(kind, shape, np.array(rows))
