"""Where the user's own files go when nobody says otherwise. They are work, not cache."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

# Below the working directory: what a user without a home folder gets instead.
NO_HOME = "adaclip-home"


def data_home() -> Path:
    """`$ADACLIP_DATA`, or `adaclip` in the desktop's folder for users' data."""
    default = os.path.join(os.environ.get("XDG_DATA_HOME") or "~/.local/share", "adaclip")
    return expanded(os.environ.get("ADACLIP_DATA") or default)


def expanded(text: str) -> Path:
    """A path whose leading "~" is the user's home folder.

    Without a home, as in many containers, it is `adaclip-home` in the working directory: never a
    folder that is called "~".
    """
    if not text.startswith("~"):
        return Path(text)
    path = os.path.expanduser(text)
    if os.path.isabs(path) and os.environ.get("HOME") != "":
        return Path(path)
    return Path.cwd() / NO_HOME / text.partition("/")[2]


def has_home() -> bool:
    """Whether the user has a home folder; without one the data of `data_home` lie elsewhere."""
    return expanded("~") != Path.cwd() / NO_HOME


def why_not_writable(folder: Path) -> str:
    """Why nothing can be stored in a folder, which is made if need be; "" when it can.

    A file is written, and removed again.
    """
    probe = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(bytes(4096))
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return (
            f"{folder}: nothing can be stored here: {error.strerror or error}; check the folder's "
            "permissions and the free space on its disk, or name another folder"
        )
    return ""


def folder_state(folder: Path) -> tuple[object, ...]:
    """Something that changes whenever a file directly in a folder is added, removed or changed."""
    found: list[object] = [str(folder)]
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                try:
                    facts = entry.stat()
                except OSError:  # a link that leads nowhere
                    facts = entry.stat(follow_symlinks=False)
                found.append(
                    (entry.name, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
                )
    except OSError:
        found.append("no such folder, or one that cannot be listed")
    return tuple(found)


def runs_home() -> Path:
    """Evaluation runs, a folder each."""
    return data_home() / "runs"


def annotations_home() -> Path:
    """The annotation CSV, its masks, and the images people agreed to keep."""
    return data_home() / "annotations"
