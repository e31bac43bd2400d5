"""`duet serve`: the HTTP service over a bundle."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from duet_core.commands.location import bundle_folder


def run(*, host: str = "127.0.0.1", port: int = 8000, bundle: Path | None = None, store: str | None = None) -> None:
    """Serve a bundle over HTTP until stopped with Ctrl-C.

    Args:
        host: address to listen on; 0.0.0.0 lets other machines in.
        port: port to listen on.
        bundle: folder of the exported model; default DUET_BUNDLE, else models/birds.
        store: where registered classes are kept, sqlite:///file or redis://host:port/db; default DUET_STORE.

    Raises BundleError, CannotStart when the store refuses to be used, OSError when the port is taken.
    """
    from app.main import create_app
    from app.observability import logs
    from app.server import serve
    from app.settings import Settings

    given: dict[str, Any] = {} if store is None else {"store": store}
    settings = Settings(bundle=bundle_folder(bundle), **given)
    logs.configure(settings.log_format)
    app = create_app(settings)

    def tell() -> None:
        sys.stdout.write(_where_to_look(host, port))
        sys.stdout.flush()

    serve(app, host=host, port=port, on_start=tell, header_seconds=settings.header_timeout_seconds)


def _where_to_look(host: str, port: int) -> str:
    address = f"http://{'localhost' if host in ('0.0.0.0', '127.0.0.1', '::') else host}:{port}"
    return (
        f"DUET serves at {address}\n"
        f"  docs      {address}/docs\n"
        f"  ready?    {address}/readyz\n"
        f"  classify  curl -F image=@photo.jpg {address}/classify\n"
    )
