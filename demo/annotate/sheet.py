"""A table of the Annotate tab as HTML: rows of cells, escaped by its template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from adaclip.annotations.store import Annotation
from demo.flag import words as flag_words
from demo.page.templates import render

SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell: text, or Markup; its CSS classes; what a pointer resting on it shows."""

    text: str
    kind: str = ""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row; with `event` it can be opened and starts with that annotation's picture."""

    cells: tuple[Cell, ...]
    event: str = ""
    current: bool = False


def cells(*texts: str | Cell) -> tuple[Cell, ...]:
    """Plain cells of texts; what is a Cell already stays."""
    return tuple(text if isinstance(text, Cell) else Cell(text=text) for text in texts)


def sheet_html(heads: Sequence[str], rows: Iterable[Row], kind: str = "", more: int = 0) -> Markup:
    """The table; `more` rows are said to be left out."""
    return render("annotate_sheet", heads=heads, rows=rows, kind=kind, more=more)


def number(value: int) -> Cell:
    """A count, aligned with others."""
    return Cell(text=f"{value:,}", kind="n")


def path(text: str) -> Cell:
    """A picture's path, its end in sight."""
    return Cell(text=text, kind="file", title=text)


def tag(annotation: Annotation, *, named: bool = False) -> Markup:
    """A verdict in its colour, with the name of who gave it when `named`."""
    said = flag_words.VERDICTS.get(annotation.verdict, annotation.verdict)
    if annotation.settled:
        said = f"{said}, settled"
    if named:
        said = f"{annotation.annotator}: {said}"
    return Markup('<span class="tag {}">{}</span>').format(annotation.verdict, said)


def hint(text: str) -> Markup:
    """A quiet sentence in place of a table."""
    return Markup('<p class="hint measure">{}</p>').format(text)
