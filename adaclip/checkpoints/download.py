"""One address into one file: streamed, resumed, checked, put in place in one step.

Knows HTTP and the disk, and of the hub only the two headers in which it announces a file's size
and SHA-256. Which file to take, and from where, is `hub.py`'s.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2  # what huggingface_hub itself speaks HTTP with, so no package more

from adaclip.errors import FetchError, StoreError
from adaclip.storage.atomic import checksum_path, record_sha256, sha256_of, sync_folder

# Seconds without a byte after which a connection counts as cut; a cancel waits no longer either.
TIMEOUT_SECONDS = 15.0
# Waits before resuming after a cut. A new byte starts them over.
RETRY_SECONDS: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
# Progress is reported at most this often, besides the end.
PROGRESS_SECONDS = 0.1

_SHA256 = re.compile(r'(?:W/)?"?([0-9a-fA-F]{64})"?')
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far one file is; `done_bytes` counts what an earlier fetch left behind too."""

    file: str
    done_bytes: int
    total_bytes: int | None
    seconds: float  # since this file was begun


class FetchCancelled(FetchError):
    """The user stopped a fetch; what had arrived is kept for the next one."""


class Failed(Exception):
    """The file cannot be had; the text is a clause for the user, without a full stop."""


class NotHere(Failed):
    """This address does not have the file; another one may."""


class Cut(Exception):
    """The connection broke or the server was busy; worth another try."""


class _Unreachable(Cut):
    """No connection could be made at all."""


@dataclass(kw_only=True)
class Watch:
    """The two callbacks of whoever waits for a download; both run in the thread that does it."""

    progress: Callable[[Progress], None] | None = None
    cancelled: Callable[[], bool] | None = None
    _reported: float = field(default=-1.0, init=False)

    def check(self) -> None:
        """Raise FetchCancelled when the caller wants to stop."""
        if self.cancelled is not None and self.cancelled():
            raise FetchCancelled("cancelled; what has arrived is kept, fetch again to go on")

    def wait(self, seconds: float) -> None:
        """Sleep, waking up for a cancel."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))

    def report(self, progress: Progress) -> None:
        """Report, unless it has just been done and this is not the end."""
        now = time.monotonic()
        if self.progress is None:
            return
        if progress.done_bytes != progress.total_bytes and now - self._reported < PROGRESS_SECONDS:
            return
        self._reported = now
        self.progress(progress)


@dataclass(frozen=True, kw_only=True)
class Remote:
    """What a server says of a file before sending it."""

    sha256: str | None
    size: int | None


def new_client() -> httpx2.Client:
    """Follows redirects, honours the proxy variables, and sends no token."""
    # Without compression: sizes and ranges have to be those of the file.
    headers = {"User-Agent": "adaclip-studio", "Accept-Encoding": "identity"}
    timeout = httpx2.Timeout(TIMEOUT_SECONDS)
    return httpx2.Client(follow_redirects=True, timeout=timeout, headers=headers)


def announced(client: httpx2.Client, url: str) -> Remote:
    """What the server says of the file, without fetching it. Raises Cut and Failed."""
    with _network(url), client.stream("GET", url) as response:
        return _describe(response)


def download(client: httpx2.Client, url: str, path: Path, watch: Watch) -> Path:
    """Stream to `<path>.part`, resumed after cuts; check; rename to `path`; record its SHA-256.

    A `.part` that an earlier call left is resumed. Raises Failed and FetchCancelled.
    """
    job = _Job(client=client, url=url, path=path, watch=watch)
    most, failures, connected = size_of(job.part), 0, False
    while True:
        watch.check()
        try:
            return _finish(job, job.stream())
        except Cut as cut:
            # Retries are for connections that once worked.
            if isinstance(cut, _Unreachable) and not connected:
                raise Failed(str(cut)) from cut
            connected, reason = True, cut
        failures = 0 if size_of(job.part) > most else failures + 1
        most = max(most, size_of(job.part))
        if failures >= len(RETRY_SECONDS):
            raise Failed(
                f"gave up after {failures + 1} tries in vain ({reason}); what has arrived is "
                "kept, fetch again to go on"
            ) from reason
        watch.wait(RETRY_SECONDS[failures])


@dataclass(kw_only=True)
class _Job:
    """One file being fetched."""

    client: httpx2.Client
    url: str
    path: Path
    watch: Watch
    part: Path = field(init=False)
    started: float = field(default_factory=time.monotonic, init=False)
    # True while `part` is what an earlier call left.
    inherited: bool = field(init=False)

    def __post_init__(self) -> None:
        self.part = self.path.with_name(self.path.name + ".part")
        self.inherited = self.part.exists()

    def stream(self) -> Remote:
        """One request, from where `part` ends to the end of the file. Raises Cut and Failed."""
        offset = size_of(self.part)
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with (
            _network(self.url),
            self.client.stream("GET", self.url, headers=headers) as response,
        ):
            remote = _describe(response)
            if self.inherited and remote.sha256 is None:
                # Without a checksum nothing would tell if it belongs to the same file.
                self.discard()
                raise Cut("what an earlier fetch left cannot be checked")
            if response.status_code == 416 and offset and remote.size == offset:
                return remote
            self.receive(response, self.start_of(response, offset), remote)
            return remote

    def start_of(self, response: httpx2.Response, offset: int) -> int:
        """Where in the file the body starts: at the offset asked for, or at 0."""
        if response.status_code == 200:
            # The server does not know Range: the file comes again from its beginning.
            return 0
        sent = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if response.status_code == 206 and sent is not None and sent[1] == str(offset):
            return offset
        self.discard()
        raise Cut("the server would not go on where the download had stopped")

    def receive(self, response: httpx2.Response, offset: int, remote: Remote) -> None:
        """Write the body to `part` from `offset` on; Cut when it is not the whole rest."""
        with disk(self.part):
            free = shutil.disk_usage(self.part.parent).free
            if remote.size is not None and remote.size - offset > free:
                raise OSError(errno.ENOSPC, f"{remote.size - offset} bytes needed, {free} free")
            # Unbuffered, so that an error comes from the write that failed.
            file = self.part.open("ab" if offset else "wb", buffering=0)
        with file:
            self.report(offset, remote)
            for chunk in response.iter_raw():
                self.watch.check()
                with disk(self.part):
                    rest = memoryview(chunk)
                    while rest:
                        rest = rest[file.write(rest) :]
                offset += len(chunk)
                self.report(offset, remote)
            with disk(self.part):
                os.fsync(file.fileno())
        if remote.size is not None and offset > remote.size:
            self.discard()
        if remote.size is not None and offset != remote.size:
            raise Cut(f"{offset} of {remote.size} bytes arrived")

    def report(self, done: int, remote: Remote) -> None:
        seconds = time.monotonic() - self.started
        self.watch.report(
            Progress(file=self.path.name, done_bytes=done, total_bytes=remote.size, seconds=seconds)
        )

    def discard(self) -> None:
        """Remove what has arrived, to begin again."""
        with disk(self.part):
            self.part.unlink(missing_ok=True)
        self.inherited = False


def _finish(job: _Job, remote: Remote) -> Path:
    """Check the whole file, put it in place and record its checksum."""
    path = job.path
    with disk(path):
        digest = sha256_of(job.part)
        if remote.sha256 is not None and digest != remote.sha256:
            job.discard()
            raise Failed(
                f"arrived damaged: its SHA-256 is {digest} and the hub announces "
                f"{remote.sha256}; it was removed, fetch again"
            )
        # First the old record: a crash in between must not leave it beside the new file.
        checksum_path(path).unlink(missing_ok=True)
        job.part.replace(path)
        sync_folder(path.parent)
        record_sha256(path, digest)
    return path


def _describe(response: httpx2.Response) -> Remote:
    """Read the headers of an answer and of the redirects before it; nothing of its body.

    The SHA-256 is the hub's X-Linked-Etag. A storage host's ETag is not: it may hash otherwise.
    Raises NotHere, Cut or Failed for an answer that is not the file.
    """
    host, status = response.url.host, response.status_code
    if status in _TRANSIENT:
        raise Cut(f"{host} answers {status}")
    # The hub says 401 for a repository that does not exist.
    if status in {401, 403, 404, 410}:
        raise NotHere(f"{host} answers {status}, not found or not public")
    if status not in {200, 206, 416}:
        raise NotHere(f"{host} answers {status}")
    etag, linked_size = "", ""
    for answer in (response, *response.history):
        etag = answer.headers.get("X-Linked-Etag", etag)
        linked_size = answer.headers.get("X-Linked-Size", linked_size)
    sha256 = _SHA256.fullmatch(etag)
    if sha256 is None and response.headers.get("Content-Type", "").startswith("text/html"):
        raise Failed(
            f"{host} sent a web page instead of the file; open it in a browser, it may be the "
            "login page of your network"
        )
    content_range = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    total = content_range[2] if content_range else ""
    length = response.headers.get("Content-Length", "") if status == 200 else ""
    sizes = (int(text) for text in (linked_size, total, length) if re.fullmatch("[0-9]+", text))
    return Remote(sha256=sha256[1].lower() if sha256 else None, size=next(sizes, None))


@contextmanager
def _network(url: str) -> Iterator[None]:
    """Turn errors of the network into Cut, or Failed where trying again is no use."""
    try:
        yield
    except (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
    ) as error:
        host = error.request.url.host
        raise _Unreachable(f"{host} cannot be reached ({error})") from error
    except httpx2.HTTPError as error:
        name = type(error).__name__
        raise Cut(f"the connection was cut: {str(error) or name}") from error
    except httpx2.InvalidURL as error:
        raise Failed(f"{url} is not a web address ({error})") from error


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn errors of the file system into Failed."""
    try:
        yield
    except StoreError as error:
        raise Failed(str(error)) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Failed(
                f"the disk that holds {path.parent} is full ({error.strerror}); make room and "
                "fetch again to go on"
            ) from error
        raise Failed(f"cannot use {path}: {error.strerror or error}") from error


def size_of(path: Path) -> int:
    """Bytes; 0 for a file that is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
