"""Fetching published weights from the Hugging Face hub, and only when the user asks for it.

huggingface_hub (2.4.0) builds the addresses; its `hf_hub_download(local_dir, endpoint, tqdm_class)`
was tried and is not used: it returns a file whose SHA-256 is not the announced one, begins again
from the first byte after a cut or a cancel, fails at the first 503, and leaves a folder of its own
beside the weights. No token is sent: the files are public.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import filelock
import httpx2
from huggingface_hub import hf_hub_url

from adaclip.checkpoints.catalogue import by_hand, downloads, find, is_here, weights_home
from adaclip.checkpoints.download import (
    Cut,
    Failed,
    FetchCancelled,
    NotHere,
    Progress,
    Watch,
    announced,
    disk,
    download,
    new_client,
)
from adaclip.checkpoints.published import HubFile
from adaclip.errors import FetchError
from adaclip.storage.atomic import record_sha256, recorded_sha256, sha256_of

__all__ = ["FetchCancelled", "Progress", "fetch"]

DEFAULT_ENDPOINT = "https://huggingface.co"


def fetch(
    checkpoint_id: str,
    *,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Path]:
    """Download a checkpoint and its backbone into `weights_home()`; the paths of its files.

    What is here and unharmed is not downloaded again. Both callbacks run in the caller's thread.
    Raises CheckpointError for an unknown id, FetchCancelled when `cancelled` returned true, and
    FetchError, which says what happened and what to do by hand, when a file cannot be had.
    """
    files = downloads(checkpoint_id)
    if not files:
        # Nothing the hub could add: it is here, or `find` says what to do.
        path = find(checkpoint_id, allow_paths=False).path
        return [] if path is None else [path]
    watch = Watch(progress=progress, cancelled=cancelled)
    paths: list[Path] = []
    with new_client() as client:
        for number, sources in enumerate(files):
            try:
                paths.append(_fetch_file(client, sources, watch))
            except Failed as error:
                # All that is still wanting, so that who does it by hand does it once.
                wanting = [sources, *(later for later in files[number + 1 :] if not is_here(later))]
                message = f"{sources[0].local_name}: {error}. {by_hand(wanting)}"
                raise FetchError(message) from error
    return paths


def _fetch_file(client: httpx2.Client, sources: Sequence[HubFile], watch: Watch) -> Path:
    """One file from the first source that has it, fetched once across processes. Raises Failed."""
    home = weights_home()
    with disk(home):
        home.mkdir(parents=True, exist_ok=True)
    with _locked(home / f".{sources[0].local_name}.lock", watch):
        # Looked for under the lock: another fetch may have just brought it.
        path = _already_here(client, sources, home)
        return path or _download_from_any(client, sources, home, watch)


@contextmanager
def _locked(path: Path, watch: Watch) -> Iterator[None]:
    """Hold a lock file, waiting for whoever has it."""
    lock = filelock.FileLock(path)
    while not lock.is_locked:
        watch.check()
        with disk(path.parent):
            try:
                lock.acquire(timeout=0.2)
            except filelock.Timeout:
                continue
    try:
        yield
    finally:
        lock.release()


def _already_here(client: httpx2.Client, sources: Sequence[HubFile], home: Path) -> Path | None:
    """The file, if it is here and either as recorded or put there by the user."""
    for source in sources:
        path = home / source.local_name
        if not path.is_file():
            continue
        with disk(path):
            digest = sha256_of(path)
        recorded = recorded_sha256(path)
        if recorded is None:
            _compare_with_hub(client, source, path, digest)
        # Not as recorded: damaged since we wrote it, so ours to write again.
        return path if recorded in {None, digest} else None
    return None


def _compare_with_hub(client: httpx2.Client, source: HubFile, path: Path, digest: str) -> None:
    """Record the checksum of a file the user put there, or raise Failed if it is another one."""
    try:
        expected = announced(client, _url(source)).sha256
    except (Cut, Failed):
        # Out of reach now, and nothing has to be fetched: the user's word is enough.
        return
    if expected is None:
        return
    if expected != digest:
        raise Failed(
            f"{path} is not the file the hub has (its SHA-256 is {digest}, the hub's "
            f"{expected}); move it away and fetch again, or leave it and use it as it is"
        )
    with disk(path):
        record_sha256(path, digest)


def _download_from_any(
    client: httpx2.Client, sources: Sequence[HubFile], home: Path, watch: Watch
) -> Path:
    """The first source that has the file decides. Raises Failed."""
    refusals = []
    for source in sources:
        try:
            return download(client, _url(source), home / source.local_name, watch)
        except NotHere as error:
            refusals.append(f"{source.path} of {source.repo}: {error}")
    raise Failed(f"not found on the hub ({'; '.join(refusals)})")


def _url(source: HubFile) -> str:
    """The file's address at the endpoint the environment names now. Raises Failed."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise Failed("HF_HUB_OFFLINE is set, so nothing is fetched; unset it to fetch")
    endpoint = (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    if not endpoint.startswith(("https://", "http://")):
        raise Failed(f"HF_ENDPOINT is {endpoint!r}; it has to begin with https:// or http://")
    return hf_hub_url(source.repo, source.path, repo_type=source.repo_type, endpoint=endpoint)
