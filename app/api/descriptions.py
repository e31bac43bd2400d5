"""From what a client says of a new class to the record that is stored: every check, before anything is written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.api.answers import Interpretation, Understood
from app.patterns import SLUG
from app.problems import Problem, from_errors
from app.registry.store import ClassRecord, Kind, as_json
from app.service import Service
from duet_core.attributes import AttributeSchema
from duet_core.classes import ClassTableError, FloatArray
from duet_core.runtime import DegreesError, class_vector, degrees_from_mapping, degrees_from_vector
from duet_core.runtime.text import PromptError

LONGEST_LABEL = 120
SHOWN = 30
"""Attributes of a vector that its interpretation lists."""


class NewClass(BaseModel):
    """A class to register: exactly one of `attributes` and `prompt`."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "yellow-headed-blackbird",
                    "label": "Yellow-headed Blackbird",
                    "prompt": "a black bird with a yellow head, throat and breast, and a pointed black bill",
                },
                {
                    "id": "yellow-headed-blackbird",
                    "label": "Yellow-headed Blackbird",
                    "attributes": {"crown color: yellow": 0.9, "breast color: yellow": 0.9, "wing color: black": 0.9},
                },
            ]
        },
    )

    id: str = Field(pattern=SLUG, description="1 to 64 lower-case letters, digits and inner hyphens.")
    label: str = Field(min_length=1, max_length=LONGEST_LABEL, description="Name for people.")
    attributes: list[Any] | dict[str, Any] | None = Field(
        default=None,
        description="One number for each attribute in schema order (any scale, only ratios matter), or degrees 0…1 by "
        "attribute name; prompt sets not mentioned then take the mean of the seen classes.",
    )
    prompt: str | None = Field(
        default=None,
        max_length=2000,
        description='Plain English, or `"wing color: blue | size: small"`, which is read exactly.',
    )
    ttl_seconds: int | None = Field(
        default=None, ge=1, le=10 * 366 * 86_400, description="Delete the class after this time; without it, never."
    )

    @field_validator("label")
    @classmethod
    def _printable(cls, label: str) -> str:
        return _clean(label)

    @model_validator(mode="after")
    def _one_description(self) -> NewClass:
        if (self.attributes is None) == (self.prompt is None):
            got = "neither" if self.prompt is None else "both"
            raise ValueError(f"got {got} of attributes and prompt; give exactly one")
        return self


class Described:
    """A checked description: the record to store, and how it was understood."""

    def __init__(self, record: ClassRecord, interpretation: Interpretation) -> None:
        self.record = record
        self.interpretation = interpretation


def describe(data: Mapping[str, Any], service: Service) -> Described:
    """Check everything a client said of a class.

    Raises Problem: invalid-class, unknown-attribute, unclear-prompt.
    """
    try:
        new = NewClass.model_validate(data)
    except ValidationError as error:
        raise from_errors("invalid-class", error.errors(include_url=False), NewClass) from None
    schema = service.bundle.schema
    kind: Kind
    detail: dict[str, Any]
    try:
        if new.prompt is not None:
            kind, detail = "prompt", {"prompt": new.prompt}
            degrees, interpretation = _from_prompt(new.prompt, service)
        elif isinstance(new.attributes, dict):
            kind, detail = "mapping", {"attributes": new.attributes}
            degrees, interpretation = _from_mapping(new.attributes, service)
        else:
            kind, detail = "vector", {}
            degrees, interpretation = _from_vector(new.attributes or [], schema)
        class_vector(degrees, service.bundle.classes.metric)
    except (DegreesError, ClassTableError) as error:
        example = {"attributes": {schema.keys[0]: 0.9}}
        raise Problem("invalid-class", f"{error}.", {"example": example}) from None
    record = ClassRecord(
        id=new.id,
        label=new.label,
        kind=kind,
        degrees=degrees.astype("<f4").tobytes(),
        schema=service.schema_id,
        detail_json=as_json(detail),
        expires_at=expiry(new.ttl_seconds),
    )
    return Described(record, interpretation)


def checked_label(label: str | None) -> str:
    """A label given apart from a description. Raises Problem invalid-class."""
    try:
        if label is None or len(label) > LONGEST_LABEL:
            raise ValueError(f"a label is a text of 1 to {LONGEST_LABEL} letters")
        return _clean(label)
    except ValueError as error:
        shown = None if label is None else label[:LONGEST_LABEL]
        raise Problem("invalid-class", f"label: {error}.", {"got": shown, "example": "Painted Bunting"}) from None


def _clean(label: str) -> str:
    label = " ".join(label.split())
    if not label or not label.isprintable():
        raise ValueError("a label has at least one letter and nothing unprintable, such as 'Painted Bunting'")
    return label


def expiry(ttl_seconds: int | None) -> float | None:
    """When a class expires, in seconds since 1970, or None for never."""
    return None if ttl_seconds is None else round(time.time() + ttl_seconds, 3)


def _from_vector(values: list[Any], schema: AttributeSchema) -> tuple[FloatArray, Interpretation]:
    if len(values) != len(schema):
        raise Problem(
            "invalid-class",
            f"attributes has {len(values)} numbers; {len(schema)} are needed, in the order of GET /attributes.",
            {"got": len(values), "allowed": len(schema), "example": [1.0, 0.0, 0.25, "…"]},
        )
    degrees = degrees_from_vector(values, schema=schema)
    strongest = [int(row) for row in np.argsort(-degrees, kind="stable")[:SHOWN] if degrees[row] > 0]
    found = [Understood(key=schema.keys[row], degree=float(degrees[row])) for row in strongest]
    return degrees, Interpretation(attributes=found, words_not_used=[], prompt_sets_assumed=[])


def _from_mapping(mapping: dict[str, Any], service: Service) -> tuple[FloatArray, Interpretation]:
    schema = service.bundle.schema
    _check_names([name for name in mapping if schema.find(name) is None], schema)
    degrees = degrees_from_mapping(mapping, schema=schema, prior=service.bundle.prior)
    rows = [row for row in map(schema.find, mapping) if row is not None]
    found = [Understood(key=schema.keys[row], degree=float(degrees[row])) for row in sorted(rows, key=_by(degrees))]
    return degrees, Interpretation(attributes=found, words_not_used=[], prompt_sets_assumed=_assumed(rows, schema))


def _from_prompt(prompt: str, service: Service) -> tuple[FloatArray, Interpretation]:
    schema = service.bundle.schema
    try:
        read = service.interpreter.interpret(prompt)
    except PromptError as error:
        example = {"prompt": "a small bird with a red crown and a white belly"}
        raise Problem("unclear-prompt", f"{error}.", {"got": prompt[:120], "example": example}) from None
    _check_names([unknown.key for unknown in read.unknown], schema)
    strongest = sorted(read.attributes, key=lambda attribute: -attribute.degree)
    found = [
        Understood(key=a.key, degree=a.degree, phrase=a.phrase, how=a.how, confidence=a.confidence) for a in strongest
    ]
    rows = [row for row in (schema.find(a.key) for a in strongest) if row is not None]
    return read.degrees, Interpretation(
        attributes=found,
        words_not_used=list(read.words_not_used),
        parts_not_known=list(read.foreign_parts),
        prompt_sets_assumed=_assumed(rows, schema),
    )


def _check_names(unknown: list[str], schema: AttributeSchema) -> None:
    """Raises Problem naming the first few unknown attributes, each with the nearest valid ones."""
    if not unknown:
        return
    errors = [{"where": name[:80], "nearest": list(schema.nearest(name[:80]))} for name in unknown[:10]]
    told = "; ".join(f"{error['where']!r} (did you mean {error['nearest'][0]!r}?)" for error in errors[:3])
    more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
    raise Problem(
        "unknown-attribute", f"Unknown attributes: {told}{more}.", {"errors": errors, "allowed": "/attributes"}
    )


def _assumed(rows: list[int], schema: AttributeSchema) -> list[str]:
    """Prompt sets that none of these rows belongs to."""
    spoken = {schema.prompt_index[row] for row in rows}
    return [prompt for position, prompt in enumerate(schema.prompts) if position not in spoken]


def _by(degrees: FloatArray) -> Any:
    return lambda row: -degrees[row]
