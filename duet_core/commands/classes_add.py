"""`duet classes add`: one more class for a running service."""

from __future__ import annotations

from collections.abc import Iterator
from json import loads
from typing import TYPE_CHECKING

from duet_core.commands.remote import connect

if TYPE_CHECKING:
    from duet_client import StoredClass


def run(
    id: str,
    *,
    label: str | None = None,
    prompt: str | None = None,
    attributes: str | None = None,
    server: str | None = None,
    key: str | None = None,
    space: str = "default",
    dry_run: bool = False,
    json: bool = False,
) -> str:
    """Describe a class to a running service, by a sentence or by attributes. Shows how it was understood.

    Args:
        id: lower-case letters, digits and hyphens, such as painted-bunting.
        label: name for people; default the id with spaces and capitals.
        prompt: a sentence, such as "a small bird with a blue crown and a red breast".
        attributes: JSON: an object of degrees by attribute name, or a list of numbers in schema order.
        server: address of the service; default DUET_SERVER, else http://localhost:8000.
        key: API key, where the service asks for one; better kept in DUET_KEY than typed.
        space: the class space.
        dry_run: only show how the description is understood; nothing is stored.
        json: print the service's answer as JSON instead of text.
    """
    from duet_client import NewClass

    described = {"prompt": prompt, "attributes": None if attributes is None else _from_json(attributes)}
    new = NewClass.model_validate({"id": id, "label": label or id.replace("-", " ").title(), **described})
    with connect(server, key) as duet:
        stored = duet.add_class(new, dry_run=dry_run, space=space)
    return stored.model_dump_json() if json else "\n".join(_as_text(stored))


def _from_json(text: str) -> object:
    try:
        return loads(text)
    except ValueError as error:
        example = '{"breast color: red": 0.9}'
        raise ValueError(f"attributes: got {text[:80]!r}, no JSON ({error}); allowed is such as {example}") from None


def _as_text(stored: StoredClass) -> Iterator[str]:
    did = f"stored {stored.id} ({stored.label}), revision {stored.revision}"
    yield did if stored.version else f"{stored.id} ({stored.label}) would be understood so; nothing was stored"
    for found in stored.interpretation.attributes:
        read_from = f"  from {found.phrase!r} ({found.how})" if found.phrase else ""
        yield f"  {found.degree:.2f}  {found.key}{read_from}"
    if stored.interpretation.words_not_used:
        yield f"  not used: {', '.join(stored.interpretation.words_not_used)}"
    if stored.interpretation.parts_not_known:
        yield f"  parts the model has no attributes for: {', '.join(stored.interpretation.parts_not_known)}"
    if stored.interpretation.prompt_sets_assumed:
        yield f"  not spoken of, as in the seen classes: {', '.join(stored.interpretation.prompt_sets_assumed)}"
    for near in stored.near_duplicates:
        yield f"  can hardly be told from {near.class_id} (similarity {near.similarity:.3f})"
