"""Nothing drifts apart: the two clients offer the same methods, and their answers are those of the OpenAPI document."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from duet_client import AsyncDuetClient, DuetClient, answers, class_answers, model_answers
from tests.service_process import ROOT

DOCUMENTED: dict[str, Any] = json.loads((ROOT / "docs/openapi.json").read_text())["components"]["schemas"]
OTHER_NAMES = {"ClassPage": "ClassList", "StoredClass": "NewClassAnswer"}
MODELS = [
    model
    for module in (answers, class_answers, model_answers)
    for _, model in inspect.getmembers(module, inspect.isclass)
    if model.__module__ == module.__name__ and issubclass(model, answers.Answer)
    if model not in (answers.Answer, class_answers.Tagged)
]


def public(kind: type[Any]) -> dict[str, list[inspect.Parameter]]:
    """Method -> its parameters."""
    return {
        name: list(inspect.signature(method).parameters.values())
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


ELSEWHERE = ("Alive", "Readiness", "StoreState", "ProblemKind", "LabelScore", "TensorMetadata", "OutputTensor")
"""Answers of paths that are for operators, or for other clients."""


def test_every_answer_of_the_service_has_its_class() -> None:
    ours = {OTHER_NAMES.get(model.__name__, model.__name__) for model in MODELS}
    foreign = {name for name in DOCUMENTED if name.startswith(("Model", "Server", "Infer"))} - {"Model", "ModelAnswer"}
    assert DOCUMENTED.keys() - ours - foreign == set(ELSEWHERE)


def test_both_clients_have_the_same_methods() -> None:
    assert public(DuetClient) == public(AsyncDuetClient)
    assert inspect.signature(DuetClient) == inspect.signature(AsyncDuetClient)
    assert len(public(DuetClient)) >= 20


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_answers_have_the_documented_members(model: type[answers.Answer]) -> None:
    documented = DOCUMENTED[OTHER_NAMES.get(model.__name__, model.__name__)]
    ours = model.model_json_schema(by_alias=True)
    assert ours["properties"].keys() == documented["properties"].keys()
    assert sorted(ours.get("required", [])) == sorted(documented.get("required", []))
    for name, member in ours["properties"].items():
        if "type" in member and "type" in documented["properties"][name]:
            assert member["type"] == documented["properties"][name]["type"], name
