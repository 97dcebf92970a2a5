"""Where the user's own files go when nobody says otherwise. They are work, not cache."""

from __future__ import annotations

import os
from pathlib import Path


def data_home() -> Path:
    """`$ADACLIP_DATA`, or `adaclip` in the desktop's folder for users' data."""
    default = os.path.join(os.environ.get("XDG_DATA_HOME") or "~/.local/share", "adaclip")
    return Path(os.path.expanduser(os.environ.get("ADACLIP_DATA") or default))


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
