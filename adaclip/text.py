"""What text may be: printable, one line, safe as a path."""

from __future__ import annotations

import re
import unicodedata

_LEADS_OUT = re.compile(r"^/|^[A-Za-z]:|\\|\x00|(?:^|/)\.\.(?:/|$)")


# What a name on one line must not hold: it would hide or turn around what is beside it.
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


_JOINERS = "\u200c\u200d"  # part of words in some scripts, and of emoji


def leads_out(rel_path: str) -> bool:
    """True for a path that is not plainly below the folder it is joined to."""
    return _LEADS_OUT.search(rel_path) is not None


def one_line(text: str) -> str:
    """NFC, without control characters and marks that turn the direction; single blanks."""
    visible = (
        " " if unicodedata.category(c) in _INVISIBLE and c not in _JOINERS else c
        for c in unicodedata.normalize("NFC", text)
    )
    return " ".join("".join(visible).split())


def printable(text: str) -> str:
    """`text` on one line and fit for any stream: control and undecodable characters as "?"."""
    joiner = "\u200d"  # holds emoji together
    return "".join(c if c.isprintable() or c == joiner else "?" for c in text)
