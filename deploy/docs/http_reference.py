"""The reference of the HTTP API as a Markdown page, from docs/openapi.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]
TAGS = ("Photos", "Classes", "Class spaces", "Decisions", "Other clients", "Operation")
"""The order of the sections; a tag that is not named here is an error, so that no path is left out."""
IN_A_SPACE = "/spaces/{space}"
"""Paths below it do what the same path without it does, in another class space."""
PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp")

HEAD = """# HTTP API

Made from [openapi.json]({openapi}), which a test compares with the service; the service shows the same at `/docs`,
where requests can be tried. Every path of photos, classes, decisions and the log also exists below `/spaces/{{space}}`,
where it speaks of that class space. Keys and scopes: [Clients]({clients}#keys).

An error is `application/problem+json`: `type`, `title`, `status`, `detail`, `instance`, `advice` and
`request_id`, and, where they help, `got`, `allowed`, `example` and `errors`. `GET /problems/{{slug}}` explains a type.
"""


def page(document: Json, openapi: str, clients: str) -> str:
    """The whole page; `openapi` and `clients` are the addresses it links to.

    Raises ValueError for an operation with a tag that is not in TAGS.
    """
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        if not path.startswith(f"{IN_A_SPACE}/")
        for method, operation in methods.items()
    ]
    if unknown := {operation["tags"][0] for _, operation in operations} - set(TAGS):
        raise ValueError(f"got tags {sorted(unknown)}; allowed are {', '.join(TAGS)}: add them to TAGS")
    parts = [HEAD.format(openapi=openapi, clients=clients)]
    for tag in TAGS:
        parts.append(f"## {tag}\n")
        parts += [part for name, found in operations if found["tags"][0] == tag for part in _operation(name, found)]
    parts.append("## Objects\n")
    for name, schema in document["components"]["schemas"].items():
        parts += [f"### {name}\n", *_description(schema), *_properties(schema)]
    return "\n".join(parts)


def _operation(name: str, operation: Json) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"**{operation['summary']}.** {operation.get('description', '')}\n"
    parameters = [(p["name"], p["schema"], p.get("required", False), p) for p in operation.get("parameters", ())]
    yield from _table("parameter", parameters)
    yield from _body(operation.get("requestBody", {}).get("content", {}))
    for status, answer in operation["responses"].items():
        if status != "default":
            kinds = [_answer(kind, content.get("schema", {})) for kind, content in answer.get("content", {}).items()]
            yield f"Answers **{status}**: {', '.join(kinds) or 'no body'}\n"


def _body(content: Json) -> Iterator[str]:
    photos = [kind for kind in PHOTO_TYPES if kind in content]
    if photos:
        yield f"Body: a photo, raw (`{'`, `'.join(photos)}`) or as the multipart field `image`.\n"
    for kind, one in content.items():
        if kind in (*PHOTO_TYPES, "multipart/form-data"):
            continue
        schema = one["schema"]
        yield f"Body `{kind}`:\n"
        yield from _properties(schema)
        for example in schema.get("examples", ())[:1]:
            text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False, indent=2)
            yield f"```{'json' if kind == 'application/json' else 'text'}\n{text.strip()}\n```\n"


def _answer(kind: str, schema: Json) -> str:
    return type_of(schema) if kind == "application/json" else f"`{kind}`"


def _description(schema: Json) -> Iterator[str]:
    if "description" in schema:
        yield f"{schema['description']}\n"


def _properties(schema: Json) -> Iterator[str]:
    required = schema.get("required", ())
    rows = [(name, one, name in required, one) for name, one in schema.get("properties", {}).items()]
    yield from _table("field", rows)


def _table(head: str, rows: list[tuple[str, Json, bool, Json]]) -> Iterator[str]:
    """Rows of (name, schema, whether it must be given, where its description stands)."""
    if not rows:
        return
    lines = [f"| {head} | type | |", "|---|---|---|"]
    for name, schema, required, described in rows:
        default = schema.get("default")
        told = "" if default in (None, "") else f" Default `{json.dumps(default)}`."
        text = " ".join(str(described.get("description", "")).split()).replace("|", "\\|")
        lines.append(f"| `{name}`{'' if required else ' (optional)'} | {type_of(schema)} | {text}{told} |")
    yield "\n".join(lines) + "\n"


def type_of(schema: Json) -> str:
    """What a schema allows, in Markdown: `string`, a link to an object of this page, a list of something."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_of(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {type_of(schema['items'])}" if schema.get("items") else "list"
    more = schema.get("additionalProperties")
    if kind == "object" and isinstance(more, dict):
        return f"mapping to {type_of(more)}"
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    return f"{kind}{f' {low}…{high}' if low is not None and high is not None else ''}"
