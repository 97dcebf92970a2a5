"""A stand-in for the Hugging Face hub on 127.0.0.1, with the hub's faults on request.

Like the hub it answers `/<repo>/resolve/main/<path>` with a redirect that announces size and
SHA-256, to a storage address whose own ETag is another hash.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass
class HubServer:
    """`files` maps "<repo>/resolve/main/<path>" (without a leading slash) to content."""

    files: dict[str, bytes] = field(default_factory=dict)
    # Content to announce in place of the one sent, for a file damaged on its way.
    announced: dict[str, bytes] = field(default_factory=dict)
    announces_checksum: bool = True
    knows_range: bool = True
    # Bytes sent before the connection is cut, one entry for each of the first answers.
    cuts: list[int] = field(default_factory=list)
    # Statuses that come before any file does.
    statuses: list[int] = field(default_factory=list)
    seconds_per_chunk: float = 0.0
    chunk: int = 4096
    web_page: bool = False
    # (path, Range header) of every storage request.
    sent: list[tuple[str, str | None]] = field(default_factory=list)
    # Path and headers of every request.
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub._answer(self)

            def log_message(self, *args: object) -> None:
                """Tests read `requests` instead."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append((request.path, dict(request.headers)))
        if self.web_page:
            self._head(request, 200, {"Content-Type": "text/html", "Content-Length": "4"})
            request.wfile.write(b"<p/>")
        elif request.path.startswith("/storage/"):
            self._send_file(request, request.path.removeprefix("/storage/"))
        elif self.statuses:
            self._head(request, self.statuses.pop(0), {"Content-Length": "0"})
        else:
            self._redirect(request, request.path.removeprefix("/"))

    def _redirect(self, request: BaseHTTPRequestHandler, name: str) -> None:
        if name not in self.files:
            self._head(request, 404, {"Content-Length": "0"})
            return
        content = self.announced.get(name, self.files[name])
        headers = {"Location": f"/storage/{name}", "Content-Length": "0"}
        if self.announces_checksum:
            headers["X-Linked-Etag"] = f'"{hashlib.sha256(content).hexdigest()}"'
            headers["X-Linked-Size"] = str(len(content))
        self._head(request, 302, headers)

    def _send_file(self, request: BaseHTTPRequestHandler, name: str) -> None:
        content = self.files[name]
        wanted = request.headers.get("Range")
        self.sent.append((name, wanted))
        headers = {"ETag": f'"{"e" * 64}"'}
        start = 0
        if wanted and self.knows_range:
            found = re.fullmatch(r"bytes=(\d+)-", wanted)
            assert found is not None
            start = int(found[1])
            if start >= len(content):
                headers |= {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"}
                self._head(request, 416, headers)
                return
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        self._head(
            request,
            206 if "Content-Range" in headers else 200,
            headers | {"Content-Length": str(len(body))},
        )
        body = body[: self.cuts.pop(0)] if self.cuts else body
        try:
            for position in range(0, len(body), self.chunk):
                request.wfile.write(body[position : position + self.chunk])
                time.sleep(self.seconds_per_chunk)
        except OSError:
            # The client has gone, as a cancelled one does.
            request.close_connection = True

    @staticmethod
    def _head(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
