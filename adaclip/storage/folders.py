"""Where the user's own files go when nobody says otherwise. They are work, not cache."""

from __future__ import annotations

import os
from pathlib import Path


def data_home() -> Path:
    """`$ADACLIP_DATA`, or `adaclip` in the desktop's folder for users' data."""
    default = os.path.join(os.environ.get("XDG_DATA_HOME") or "~/.local/share", "adaclip")
    return Path(os.path.expanduser(os.environ.get("ADACLIP_DATA") or default))


def runs_home() -> Path:
    """Evaluation runs, a folder each."""
    return data_home() / "runs"


def annotations_home() -> Path:
    """The annotation CSV, its masks, and the images people agreed to keep."""
    return data_home() / "annotations"
