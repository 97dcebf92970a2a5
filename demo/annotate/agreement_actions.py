"""How well people agree, the pictures on which they do not, and settling those.

A handler returns {component name: value}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from adaclip.annotations import agreement
from adaclip.annotations.agreement import Disagreement
from adaclip.annotations.record import Truth, truth_of
from adaclip.annotations.settlements import item_of, settle
from adaclip.annotations.store import Annotation, AnnotationStore
from adaclip.data.registry import spoken
from adaclip.errors import InputError
from demo.annotate import view as annotate_view
from demo.annotate import words
from demo.annotate.pictures import AnnotationPictures
from demo.annotate.sheet import SHOWN, Cell, Row, cells, hint, path, sheet_html, tag
from demo.flag import flagging
from demo.flag import words as flag_words
from demo.page.templates import Markup, render
from demo.services import Services

Screen = dict[str, Any]


class AgreementActions:
    """One per page; what is shown is everybody's."""

    def __init__(self, services: Services, pictures: AnnotationPictures) -> None:
        self._services, self._pictures = services, pictures

    def load(self, dispute: str = "") -> Screen:
        """Agreement of each pair of people, and the disputed pictures; `dispute` is open."""
        current = self._services.annotation_store.current()
        return {
            "agreement": agreement_html(current, self._services.annotation_store),
            "disagreements": disagreements_html(agreement.disagreements(current), dispute),
        }

    def open(self, event_id: Any, status: str = "") -> Screen:
        """A disputed picture beside the list: who says what, and how to settle it."""
        found = self._find(event_id)
        settled = found.settlement
        event = found.annotations[-1].event_id
        return {
            "dispute": event,
            "dispute_panel": gr.Column(visible=True),
            "dispute_picture": self._pictures.panel(found.annotations),
            "dispute_facts": dispute_html(found),
            "dispute_comment": settled.comment if settled else "",
            "unsettle": gr.Button(visible=settled is not None),
            "dispute_status": status,
            **self.load(event),
        }

    def settle(self, event_id: Any, truth: Truth, comment: Any, person: Any) -> Screen:
        """A person decides what the picture is; it counts whatever the others say."""
        name = flagging.checked_name(person)
        found = self._find(event_id)
        before = found.settlement
        settle(
            self._services.annotation_store,
            found.annotations,
            truth,
            annotator=name,
            comment=flagging.checked_comment(comment),
            seen=before.event_id if before else "",
        )
        return self.open(event_id, annotate_view.note(words.settled(truth, found.rel_path)))

    def unsettle(self, event_id: Any, person: Any) -> Screen:
        """Take one's own settlement back; one before it, or the dispute, stands again."""
        name = flagging.checked_name(person)
        settled = self._find(event_id).settlement
        if settled is None:
            raise InputError(words.NOT_SETTLED)
        if settled.annotator != name:
            raise InputError(words.NOT_YOUR_SETTLEMENT.format(name=settled.annotator))
        self._services.annotation_store.undo(settled.event_id, annotator=name)
        return self.open(event_id, annotate_view.note(words.UNSETTLED))

    def _find(self, event_id: Any) -> Disagreement:
        """The disputed picture that an annotation is of. Raises InputError."""
        event = self._services.annotation_store.get(event_id) if isinstance(event_id, str) else None
        for found in agreement.disagreements(self._services.annotation_store.current()):
            if event is not None and item_of(event) == (found.pixel_sha256, found.class_name):
                return found
        raise InputError(words.NO_LONGER_DISPUTED)


def agreement_html(current: Sequence[Annotation], store: AnnotationStore) -> Markup:
    """Kappa and mask overlap of each pair of people who judged the same pictures."""
    found = agreement.pairs(current, store.mask)
    if not found:
        return hint(words.NO_PAIRS)
    rows = [
        Row(
            cells=cells(
                f"{p.first} and {p.second}",
                f"{p.items:,}",
                "n/a" if p.agreed is None else f"{100 * p.agreed:.0f} %",
                _value(p.kappa, p.reason),
                _value(p.mean_iou, words.NO_COMMON_MASKS, f" of {p.masks:,}"),
            )
        )
        for p in found
    ]
    heads = ("Who", "Pictures both judged", "Same verdict", "Cohen's kappa", "Mask overlap (IoU)")
    return sheet_html(heads, rows, "numbers") + hint(words.KAPPA)


def disagreements_html(found: Sequence[Disagreement], selected: str = "") -> Markup:
    """Pictures on which people differ, who said what, and what was settled."""
    if not found:
        return hint(words.NO_DISAGREEMENT)
    rows = [
        Row(
            event=d.annotations[-1].event_id,
            current=d.annotations[-1].event_id == selected,
            cells=cells(
                path(d.rel_path),
                spoken(d.class_name),
                Cell(text=Markup(" ").join(tag(a, named=True) for a in d.annotations)),
                _settled(d.settlement),
            ),
        )
        for d in found[:SHOWN]
    ]
    heads = ("", "Picture", "Object", "Who says what", "Settled")
    return sheet_html(heads, rows, more=len(found) - SHOWN)


def dispute_html(found: Disagreement) -> Markup:
    """Everybody's word on one disputed picture, and the settlement."""
    said = [
        {
            "tag": tag(a),
            "who": a.annotator,
            "reason": flag_words.REASONS.get(a.reason_code, ""),
            "region": f"{a.region_area_px:,} px" if a.region_area_px else "",
            "comment": a.comment,
        }
        for a in found.annotations
    ]
    return render(
        "annotate_dispute",
        name=found.rel_path,
        object=spoken(found.class_name),
        said=said,
        settled=_settled(found.settlement),
    )


def _settled(row: Annotation | None) -> str:
    """ "Anomalous, by ann", or "" while it is open."""
    return "" if row is None else words.settled_by(truth_of(row) or "", row.annotator)


def _value(value: float | None, reason: str, more: str = "") -> Cell:
    if value is None:
        return Cell(text=Markup('<span class="dim">n/a</span>'), title=reason)
    return Cell(text=Markup('{:.2f} <span class="dim">{}</span>').format(value, more.strip()))
