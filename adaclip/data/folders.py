"""Which files a folder is searched for, and where a search ends: links that lead out of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from adaclip.text import printable

# What a folder is searched for; a file named by the user is tried whatever its extension.
EXTENSIONS = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".webp"}
    | {".avif", ".jp2", ".j2k", ".jpx", ".heic", ".heif", ".jxl", ".dcm", ".dng"}
)


@dataclass
class Fence:
    """Where reading a folder ends: its `root` as it really lies, None for no end.

    `outside` collects the links that led out of it and were passed over.
    """

    root: str | None
    outside: dict[Path, None] = field(default_factory=dict)

    def lets_in(self, path: Path | str) -> bool:
        """Whether a file or folder really lies inside; one that does not is remembered."""
        if self.root is None:
            return True
        real = os.path.realpath(path)
        if real == self.root or real.startswith(self.root.rstrip(os.sep) + os.sep):
            return True
        self.outside[Path(path)] = None
        return False


_fence: ContextVar[Fence | None] = ContextVar("fence", default=None)


@contextmanager
def fenced(root: Path, follow_links: bool) -> Iterator[Fence]:
    """While this lasts, `let_in` keeps to what really lies under `root`, unless links count."""
    fence = Fence(None if follow_links else os.path.realpath(root))
    token = _fence.set(fence)
    try:
        yield fence
    finally:
        _fence.reset(token)


def let_in(path: Path | str) -> bool:
    """Whether the folder being read may hold this path; True where none is being read."""
    fence = _fence.get()
    return fence is None or fence.lets_in(path)


def passed_over(links: Sequence[Path]) -> str:
    """A sentence on links that led out of a folder."""
    named = ", ".join(printable(str(link)) for link in links[:3])
    more = f" and {len(links) - 3} more" if len(links) > 3 else ""
    lead = "link leads" if len(links) == 1 else "links lead"
    return (
        f"{len(links)} {lead} out of the folder and were not followed: {named}{more}; "
        "--follow-links reads what is there"
    )


def collect_image_paths(
    paths: Iterable[Path | str],
    *,
    follow_links: bool = False,
    outside: list[Path] | None = None,
) -> list[Path]:
    """The files to try, each once: named files as they are, folders searched to the bottom.

    A named file is listed even when it is missing or has an odd extension, so that reading it
    gives the reason. In folders, files come in sorted order before those of subfolders; hidden
    ones and those without an image extension are passed over. A folder that cannot be opened is
    listed itself, for the same reason. A link that leads out of its folder is passed over and
    added to `outside`, unless `follow_links`.
    """
    found: dict[Path, None] = {}
    for given in paths:
        path = Path(given)
        if not _is_dir(path):
            found[path] = None
            continue
        fence = Fence(None if follow_links else os.path.realpath(path))
        found.update(dict.fromkeys(_walk(path, fence)))
        if outside is not None:
            outside += fence.outside
    return list(found)


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long, a NUL, no permission: reading it will tell
        return False


def _walk(folder: Path, fence: Fence) -> Iterable[Path]:
    """Image files under `folder`; linked folders are followed, each real one once."""
    unreadable: list[Path] = []
    seen: set[str] = set()

    def note_unreadable(error: OSError) -> None:
        unreadable.append(Path(error.filename))

    for root, folders, files in os.walk(folder, followlinks=True, onerror=note_unreadable):
        if os.path.realpath(root) in seen:  # by a link that came first
            folders.clear()
            continue
        seen.add(os.path.realpath(root))
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and os.path.realpath(os.path.join(root, name)) not in seen
            and fence.lets_in(os.path.join(root, name))
        )
        for name in sorted(files):
            wanted = not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS
            if wanted and fence.lets_in(os.path.join(root, name)):
                yield Path(root, name)
    yield from unreadable
