"""Whether the locks of a folder's file system keep writers apart."""

from __future__ import annotations

import os
from pathlib import Path

import filelock

from adaclip.errors import StoreError
from adaclip.storage.file_systems import file_system, is_trusted

# Set to 1, a folder whose locks cannot be trusted is refused instead of warned of.
STRICT = "ADACLIP_STRICT_LOCKS"
LOCK_NAME, LOCK_SECONDS = ".annotations.lock", 15.0


def lock_warnings(folder: Path, *, probe: bool) -> list[str]:
    """What is to be said of the folder's file system. Raises StoreError where it is no use."""
    if probe and not _locks_work(folder):
        raise StoreError(
            f"{folder}: locks have no effect on this file system, so two writers would damage "
            "each other's rows; keep the annotations on a local disk"
        )
    kind = file_system(folder)
    if is_trusted(kind):
        return []
    warning = (
        f"{folder}: lies on a file system of the kind {kind}, whose locks cannot be trusted: let "
        "one program at a time write here, or keep the annotations on a local disk"
    )
    if os.environ.get(STRICT) == "1":
        raise StoreError(warning)
    return [warning]


def _locks_work(folder: Path) -> bool:
    try:
        return locks_hold(folder)
    except (OSError, NotImplementedError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise StoreError(
            f"{folder}: no file can be locked in this folder: {reason}; check its permissions or "
            "name another one for the annotations"
        ) from error


def locks_hold(folder: Path) -> bool:
    """Whether a second lock on the same file is refused while the first is held, as it must be."""
    path = folder / LOCK_NAME
    locks = [filelock.FileLock(path, timeout=LOCK_SECONDS, fallback_to_soft=False)]
    locks.append(filelock.FileLock(path, timeout=0, fallback_to_soft=False))
    with locks[0]:
        try:
            locks[1].acquire()
        except filelock.Timeout:
            return True
        locks[1].release()
        return False
