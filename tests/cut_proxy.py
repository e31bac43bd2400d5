"""A TCP proxy on this machine that can be cut: connections closed, or left open with nothing passing any more."""

from __future__ import annotations

import contextlib
import socket
import threading


class CutProxy:
    """Passes bytes between its own port and `target` until it is cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._state = "open"
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Close every connection and refuse new ones, as a router that resets them."""
        self._state = "cut"
        self._drop()

    def swallow(self) -> None:
        """Lose every byte but keep connections open, as a cable that is pulled."""
        self._state = "swallow"

    def mend(self) -> None:
        """Pass bytes again. Connections that lost some are closed: their ends would wait for ever."""
        broken = self._state == "swallow"
        self._state = "open"
        if broken:
            self._drop()

    def close(self) -> None:
        """End it."""
        self._state = "cut"
        self._listener.close()
        self._drop()

    def _drop(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for end in (end for pair in pairs for end in pair):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._state == "cut":
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.append((client, server))
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                if self._state == "open":
                    other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
