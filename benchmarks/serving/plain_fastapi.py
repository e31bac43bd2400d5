"""The model behind a plain FastAPI handler, as one writes it first.

``python -m benchmarks.serving.plain_fastapi PORT BUNDLE``. No queue, no bound, no registry.
`/async` decodes and computes on the event loop, `/def` in FastAPI's thread pool.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, UploadFile
from fastapi.params import File

from benchmarks.serving.predict import Predictor


def create_app(bundle: Path) -> FastAPI:
    """Two routes that differ in where they compute."""
    predictor, app = Predictor(bundle), FastAPI()

    @app.post("/async")
    async def in_the_loop(image: Annotated[UploadFile, File()]) -> dict[str, Any]:
        return predictor(await image.read())

    @app.post("/def")
    def in_a_thread(image: Annotated[UploadFile, File()]) -> dict[str, Any]:
        return predictor(image.file.read())

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(Path(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]))
