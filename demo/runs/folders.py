"""The folders this server may show: the data roots, and the folders directly in them."""

from __future__ import annotations

from pathlib import Path

MOST_FOLDERS = 200  # of one root


def folders_of(root: Path) -> list[Path]:
    """The root, then the folders in it by name, links out of it left out; none if unreadable."""
    try:
        inner = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    except OSError:
        return []
    kept = [path for path in inner if path.resolve().is_relative_to(root.resolve())]
    return [root, *kept[:MOST_FOLDERS]]
