"""Registered classes of another bundle's attributes, as this bundle's: by their descriptions, else by names."""

from __future__ import annotations

import json
from collections.abc import Iterable

from app.registry.store import ClassRecord
from duet_core.attributes import AttributeSchema, SchemaError
from duet_core.classes import FloatArray
from duet_core.runtime import Bundle, DegreesError, degrees_from_mapping
from duet_core.runtime.carrying import CannotCarry, SentenceCarrier, carried_degrees
from duet_core.runtime.text import TextInterpreter


class Carrier:
    """What a class of other attributes is in those of one bundle; a pure function of the class and the bundle.

    So every process with this bundle finds the same, and nothing is written to the store, where processes with another
    bundle read the class as it was registered.

    Args:
        interpreter: reads sentences for the bundle.
    """

    def __init__(self, interpreter: TextInterpreter, bundle: Bundle) -> None:
        self.bundle = bundle.checksum
        self._schema = bundle.schema
        self._prior = bundle.prior
        self._sentences = SentenceCarrier(interpreter)
        self._others: dict[str, AttributeSchema] = {}

    @property
    def schema_json(self) -> str:
        """The bundle's own attributes, for the store to tell others."""
        return json.dumps(self._schema.to_json(), ensure_ascii=False)

    def learn(self, fingerprint: str, schema_json: str) -> None:
        """Know the attributes that a fingerprint in records stands for. What cannot be read stays unknown."""
        try:
            self._others[fingerprint] = AttributeSchema.from_json(json.loads(schema_json))
        except (ValueError, KeyError, TypeError, SchemaError):
            return

    def unknown(self, records: Iterable[ClassRecord], own: str) -> set[str]:
        """Fingerprints in these records whose attributes it does not know; `own` is that of the bundle."""
        named = {record.schema for record in records if not record.deleted and record.degrees}
        return named - {own} - self._others.keys()

    def degrees(self, record: ClassRecord) -> FloatArray:
        """(A,) degrees of a class with other attributes. Raises CannotCarry."""
        source, detail = self._others.get(record.schema), record.detail
        if record.kind == "prompt" and isinstance(detail.get("prompt"), str):
            return self._sentences.degrees(detail["prompt"], source)
        if record.kind == "mapping" and isinstance(detail.get("attributes"), dict):
            try:
                return degrees_from_mapping(detail["attributes"], schema=self._schema, prior=self._prior)
            except DegreesError as error:
                raise CannotCarry(str(error)) from None
        if source is None:
            raise CannotCarry("nobody has told the store the names of its attributes")
        degrees = record.vector()
        if len(degrees) != len(source):
            raise CannotCarry(f"it has {len(degrees)} degrees for {len(source)} attributes")
        return carried_degrees(degrees, source=source, target=self._schema, prior=self._prior)

    def described(self, record: ClassRecord) -> dict[str, object]:
        """The class in words that need no schema, as POST /classes takes them; empty where its names are unknown."""
        detail, source = record.detail, self._others.get(record.schema)
        for name in ("prompt", "attributes"):
            if name in detail:
                return {name: detail[name]}
        if source is None or len(record.vector()) != len(source):
            return {}
        degrees = record.vector() / record.vector().max()
        return {"attributes": {key: float(d) for key, d in zip(source.keys, degrees, strict=True) if d > 0}}
