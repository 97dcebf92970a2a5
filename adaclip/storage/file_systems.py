"""Which file system a folder lies on, and whether its locks can be trusted."""

from __future__ import annotations

import os
import re
from pathlib import Path

MOUNTS = Path("/proc/mounts")
# Locks there are advisory between machines at best, and files may be cached for seconds.
_UNTRUSTED = re.compile(
    r"nfs\d?|cifs|smb\w*|ncpfs|afs|9p|fuse|fuse\..+|vboxsf|prl_fs|davfs2?|glusterfs|ceph"
)
_OCTAL = re.compile(r"\\([0-7]{3})")


def file_system(folder: Path) -> str | None:
    """The type of the file system that holds a folder ("ext4", "nfs4"), None when unknown."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    here = os.path.realpath(folder)
    found, longest = None, -1
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        point = _OCTAL.sub(lambda code: chr(int(code[1], 8)), parts[1])
        holds = here == point or here.startswith(point.rstrip("/") + "/")
        # Of two mounts on one point the later one is on top.
        if holds and len(point) >= longest:
            found, longest = parts[2], len(point)
    return found


def is_trusted(kind: str | None) -> bool:
    """False for network and user-space file systems."""
    return kind is None or _UNTRUSTED.fullmatch(kind) is None
