"""GET /attributes: the words classes are described with."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.answers import PromptSet, Schema, SchemaAttribute
from app.api.deps import TheService

router = APIRouter(tags=["Classes"])


@router.get("/attributes", summary="The attribute schema")
async def attributes(service: TheService) -> Schema:
    """All attributes the model knows, by prompt set. `index` is an attribute's place in a class vector."""
    schema = service.bundle.schema
    return Schema(
        model_id=service.bundle.model_id,
        count=len(schema),
        prompt_sets=[
            PromptSet(
                prompt=prompt,
                attributes=[
                    SchemaAttribute(index=row, key=schema.keys[row], name=schema.attributes[row].name) for row in rows
                ],
            )
            for prompt, rows in zip(schema.prompts, schema.prompt_sets, strict=True)
        ],
    )
