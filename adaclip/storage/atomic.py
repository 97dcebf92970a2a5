"""Writing files so that a crash leaves the old file or the new one, never half of one."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path

from adaclip.errors import StoreError

_SHA256 = re.compile(r"[0-9a-f]{64}")


def write_bytes(path: str | Path, data: bytes, *, sync_entry: bool = True) -> None:
    """Replace `path` by `data` in one step, making its folder when there is none.

    `sync_entry` False does not wait until the file's name is on disk as its content is. Raises
    StoreError when the file cannot be written; the old file is then untouched.
    """
    path = Path(path)
    # A short name of its own: the target's may already be as long as the file system allows.
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        if sync_entry:
            sync_folder(path.parent)
    except OSError as error:
        raise cannot("write", path, error) from error


def cannot(what: str, path: str | Path, error: Exception) -> StoreError:
    """The error of a file that cannot be read, written or copied, with what to look at."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return StoreError(
        f"cannot {what} {path}: {reason}; check the folder's permissions and the free space on "
        "its disk"
    )


def write_text(path: str | Path, text: str) -> None:
    """As `write_bytes`, in UTF-8 and with line ends as given."""
    write_bytes(path, text.encode("utf-8"))


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on disk: a renamed file is safe only after this."""
    # Windows cannot open folders, and needs no such call.
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: str | Path) -> str:
    """The file's SHA-256 as 64 lower-case hex digits. Raises OSError when it cannot be read."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_path(path: Path) -> Path:
    """Where the checksum of `path` is recorded: beside it, in the format of `sha256sum`."""
    return path.with_name(path.name + ".sha256")


def record_sha256(path: Path, digest: str) -> None:
    """Record a file's checksum so that `sha256sum --check` can read it. Raises StoreError."""
    write_text(checksum_path(path), f"{digest}  {path.name}\n")


def recorded_sha256(path: Path) -> str | None:
    """The checksum recorded for `path`, or None where none can be read."""
    try:
        text = checksum_path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    digest = text.split(maxsplit=1)[0] if text.strip() else ""
    return digest if _SHA256.fullmatch(digest) else None
