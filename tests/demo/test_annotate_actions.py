"""The review and the annotation table without a browser."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.annotations.queue import ALL
from adaclip.annotations.store import AnnotationStore
from adaclip.data.images import pixel_sha256
from adaclip.errors import InputError
from adaclip.types import Threshold
from demo.annotate import charts as annotate_charts
from demo.annotate import sources as annotate_sources
from demo.annotate import table as annotate_table
from demo.annotate import words
from demo.annotate.actions import ReviewActions
from demo.annotate.agreement_actions import AgreementActions
from demo.annotate.judging import Judging
from demo.annotate.pictures import AnnotationPictures
from demo.annotate.review import Settings
from demo.annotate.summary_actions import SummaryActions
from demo.annotate.table import Search
from demo.annotate.table_actions import TableActions
from demo.detect.actions import DetectActions
from demo.look import Look
from tests.demo.stub import stub_services, tile

# Scores 0.94, 0.59 and 0.08 at a threshold of 0.5.
LEVELS = {"dark.png": 15, "grey.png": 105, "calm.png": 235}
TILE = Judging(checkpoint_id="lite", class_name="tile")


@pytest.fixture
def store(tmp_path):
    return AnnotationStore(tmp_path / "annotations")


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "allowed" / "parts"
    made.mkdir(parents=True)
    for name, level in LEVELS.items():
        pixels = tile()
        pixels[30:70, 40:80] = level
        Image.fromarray(pixels).save(made / name)
    return made


@pytest.fixture
def services(tmp_path, store, folder):
    return stub_services(
        tmp_path / "served", annotations=store, data_roots=(folder.parent,), run_roots=()
    )


@pytest.fixture
def do(services) -> ReviewActions:
    return ReviewActions(services)


def source_of(services, label: str) -> str:
    return next(s.id for s in annotate_sources.sources(services, None) if label in s.label)


def start(do, services, settings=None, person="ann", source="Folder: parts") -> dict:
    chosen = settings or Settings()
    what = source_of(services, source)
    return list(do.start("", what, None, chosen, person, TILE))[-1]


def flag(do, key: str, choice: str = "FP", **changes) -> dict:
    subject = do.subject(key)
    sent = {"choice": choice, "annotator": "ann", "subject": subject.id, "seen": ""}
    return do.judge(key, sent | changes)


def names(screen: dict) -> str:
    return screen["position"]


def test_a_folder_is_judged_with_progress_and_reviewed_highest_score_first(do, services, store):
    what = source_of(services, "Folder: parts")
    screens = list(do.start("", what, None, Settings(), "ann", TILE))
    assert 'role="progressbar"' in screens[0]["stage"]
    last = screens[-1]
    assert "1 / 3" in names(last)
    assert "dark.png" in names(last)
    screen = flag(do, last["key"], reason="texture")
    assert "grey.png" in names(screen)
    assert "<b>1 / 3</b> judged" in screen["counter"]
    [saved] = store.current()
    assert (saved.rel_path, saved.dataset, saved.checkpoint_id) == ("dark.png", "parts", "lite")
    assert (saved.reason_code, saved.queue_policy) == ("texture", "highest-score")


def test_one_goes_on_where_one_stopped_and_only_oneself(do, services):
    key = start(do, services)["key"]
    flag(do, key)
    flag(do, key, "TP")
    again = start(ReviewActions(services), services)
    assert "calm.png" in names(again)
    assert "<b>2 / 3</b> judged" in again["counter"]
    other = start(ReviewActions(services), services, person="bob")
    assert "dark.png" in names(other)


def test_undo_goes_back_step_by_step(do, services, store):
    key = start(do, services)["key"]
    flag(do, key)
    flag(do, key, "TP")
    screen = do.undo(key, {"annotator": "ann"})
    assert "grey.png" in names(screen)
    screen = do.undo(key, {"annotator": "ann"})
    assert "dark.png" in names(screen)
    assert store.current() == []
    screen = do.undo(key, {"annotator": "ann"})
    assert words.NOTHING_TO_UNDO in screen["flag_said"]


def test_what_cannot_be_stored_stays_on_the_stage(do, services, store):
    key = start(do, services)["key"]
    screen = flag(do, key, comment="x" * 3000)
    assert "3,000 characters" in screen["flag_said"]
    assert "dark.png" in names(screen)
    assert store.current() == []


def test_blind_hides_score_and_map_and_other_peoples_words_until_judged(do, services):
    key = start(do, services, person="bob")["key"]
    flag(do, key, annotator="bob")
    settings = Settings(blind=True, advance=False)
    screen = start(do, services, settings)
    assert "heat" not in screen["stage"]
    assert "score" not in screen["facts"]
    assert "bob" not in screen["flag_said"]
    assert 'data-state="blind"' in screen["flag_said"]
    screen = flag(do, screen["key"], "no_defect")
    assert "heat" in screen["stage"]
    assert "0.9" in screen["facts"]
    assert "bob" in screen["flag_said"]


def test_filters_by_verdict_and_person(do, services):
    key = start(do, services)["key"]
    flag(do, key)
    flag(do, key, "unsure")
    screen = do.arrange(key, Settings(show="FP"))
    assert "1 / 1" in names(screen)
    assert "dark.png" in names(screen)
    screen = do.arrange(key, Settings(show=ALL, annotator="ann"))
    assert "1 / 2" in names(screen)
    with pytest.raises(InputError, match="filters"):
        do.arrange(key, Settings(show="TN"))
    with pytest.raises(InputError, match="filters"):
        do.arrange(key, Settings(class_name="nut"))


@pytest.mark.parametrize(
    "bad", [{"order": "x"}, {"show": ["a"]}, {"order": {}}, {"dataset": 3}, {"seed": "1"}]
)
def test_settings_that_are_not_on_offer_are_refused(bad):
    with pytest.raises(InputError):
        Settings(**bad)


@pytest.mark.parametrize("source", ["", None, "/etc", "folder-../../etc", "run-x", ["session"]])
def test_only_sources_on_offer_are_opened(do, source):
    with pytest.raises(InputError, match="not on offer"):
        list(do.start("", source, None, Settings(), "ann", TILE))


def test_links_out_of_an_allowed_folder_are_not_on_offer(services, folder, tmp_path):
    (tmp_path / "private").mkdir()
    (folder.parent / "link").symlink_to(tmp_path / "private")
    labels = [s.label for s in annotate_sources.sources(services, None)]
    assert not any("link" in label for label in labels)


def test_a_name_is_needed_and_keys_of_others_are_nothing(do, services):
    with pytest.raises(InputError, match="your name"):
        start(do, services, person=" ")
    with pytest.raises(InputError, match="Start"):
        do.step("", 1)
    with pytest.raises(InputError, match="dropped"):
        do.step("0" * 22, 1)
    with pytest.raises(InputError, match="no judged pictures"):
        start(do, services, source=words.SOURCE_SESSION)


def test_the_visitors_own_pictures_are_reviewed_and_known_again_by_their_pixels(
    do, services, upload, tmp_path
):
    detect = DetectActions(services)

    def batch(*names: str) -> str:
        files = []
        for name in names:
            pixels = tile([(40, 30, 80, 70)])
            pixels[0, 0] = len(name)
            files.append({"path": str(upload(name, pixels)), "name": name})
        key = detect.dropped("", files, "object", 0.5, Look())["key"]
        detect.start(key, "", "tile", "lite", 0.5, Look())
        list(detect.run(key))
        return key

    settings = Settings()
    key = batch("a.png", "bb.png")
    screen = list(do.start(key, words.SESSION_SOURCE, None, settings, "ann", Judging()))[-1]
    flag(do, screen["key"])
    again = batch("x.png", "yy.png")  # the same pixels under other names
    screen = list(do.start(again, words.SESSION_SOURCE, None, settings, "ann", Judging()))[-1]
    assert "<b>1 / 2</b> judged" in screen["counter"]
    assert "yy.png" in names(screen)


def test_kept_pictures_can_be_judged_by_a_second_person(do, services):
    key = start(do, services)["key"]
    with pytest.raises(InputError, match="Nothing has been kept yet"):
        start(do, services, source=words.SOURCE_KEPT)
    flag(do, key, keep=True)
    screen = start(do, services, person="bob", source=words.SOURCE_KEPT)
    assert "dark.png" in names(screen)
    assert "1 / 1" in names(screen)
    assert "heat" in screen["stage"]


def many(store, count: int = 3) -> None:
    """Annotations of `ann`, the last one by `bob`."""
    from demo.flag.flagging import Flag, Subject, save

    for n in range(count):
        pixels = np.full((20, 30, 3), n, np.uint8)
        subject = Subject(
            name=f"p{n}.png",
            pixel_sha256=pixel_sha256(pixels),
            image_sha256="",
            size=(20, 30),
            rel_path=f"p{n}.png",
            dataset="upload",
            class_name="metal_nut",
            checkpoint_id="lite",
            score=0.9,
            threshold=Threshold(value=0.5, source="F1-max"),
            pixels=lambda pixels=pixels: pixels,
            anomaly_map=lambda: None,
        )
        flag = Flag(
            choice="FP",
            annotator="bob" if n == count - 1 else "ann",
            subject_id=subject.id,
            reason="edge" if n % 2 else "",
            comment=f"<b>note {n}</b>",
            keep_image=n == 0,
        )
        save(store, subject, flag)


def table_of(services) -> TableActions:
    return TableActions(services, AnnotationPictures(services))


def agreement_of(services) -> AgreementActions:
    return AgreementActions(services, AnnotationPictures(services))


def summary_of(services) -> SummaryActions:
    return SummaryActions(services, AnnotationPictures(services))


def test_the_table_is_searched_and_escaped(services, store):
    many(store)
    table = table_of(services)
    screen = table.search(Search())
    assert screen["table"].count("<tr data-event") == 3
    assert "<b>note" not in screen["table"]
    assert "&lt;b&gt;note 1" in screen["table"]
    assert table.search(Search(text="EDGE p1"))["table"].count("<tr data-event") == 1
    assert table.search(Search(annotator="bob"))["table"].count("<tr data-event") == 1
    assert words.NO_ROWS in table.search(Search(verdict="TN"))["table"]
    assert table.search(Search(page=99))["page_number"] == 0
    assert table.search(Search(page=-3))["page_number"] == 0


def test_rows_are_edited_and_retracted_by_their_own_person(services, store):
    many(store)
    table = table_of(services)
    rows = {a.rel_path: a for a in store.current()}
    row = rows["p0.png"]
    screen = table.select(row.event_id, Search())
    assert (screen["edit_verdict"], screen["edit_comment"]) == ("FP", "<b>note 0</b>")
    assert "data:image" in screen["row_picture"]
    screen = table.save(row.event_id, "TP", "dirt", "changed", "ann", [], Search())
    changed = next(a for a in store.current() if a.rel_path == "p0.png")
    assert (changed.verdict, changed.reason_code, changed.comment) == ("TP", "dirt", "changed")
    assert changed.event_id == screen["event"] != row.event_id
    # The other tab still holds the row of before.
    with pytest.raises(InputError, match="no longer"):
        table.save(row.event_id, "TN", "", "", "ann", [], Search())
    with pytest.raises(InputError, match="bob's"):
        table.retract(rows["p2.png"].event_id, "ann", [], Search())
    table.retract(changed.event_id, "ann", [], Search())
    assert {a.rel_path for a in store.current()} == {"p1.png", "p2.png"}


@pytest.mark.parametrize("event", [None, "", 3, "../../x", ["a"]])
def test_rows_that_are_not_there_are_refused(services, event):
    with pytest.raises(InputError, match="no longer"):
        table_of(services).select(event, Search())


def test_charts_count_what_was_said(store):
    many(store, 5)
    current = store.current()
    [bar] = annotate_charts.per_class(current).data
    assert (list(bar.x), list(bar.y)) == ([5], ["metal nut"])
    [bar] = annotate_charts.per_reason(current).data
    assert (list(bar.x), list(bar.y)) == ([2], ["Edge or contour"])
    [bar] = annotate_charts.over_time(current).data
    assert sum(bar.y) == 5
    for figure in (annotate_charts.per_class([]), annotate_charts.over_time([])):
        assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_time_is_counted_in_hours_days_or_months_and_none_is_left_out(store):
    many(store, 2)
    row = store.current()[0]

    def steps(first: str, last: str) -> list[str]:
        rows = [dataclasses.replace(row, ts_utc=f"{text}:04:05.000Z") for text in (last, first)]
        [bar] = annotate_charts.over_time(rows).data
        assert sum(bar.y) == 2
        return list(bar.x)

    # Over the end of a month, which names of months would not sort.
    assert steps("2026-01-31T23", "2026-02-01T01") == [
        "2026-01-31 23:00",
        "2026-02-01 00:00",
        "2026-02-01 01:00",
    ]
    assert steps("2026-01-30T23", "2026-02-03T01")[1:3] == ["2026-01-31", "2026-02-01"]
    assert steps("2025-11-30T23", "2026-03-03T01")[:3] == ["2025-11", "2025-12", "2026-01"]


def test_pages_and_the_words_for_them():
    assert [annotate_table.pages(n) for n in (0, 1, 100, 101)] == [1, 1, 1, 2]
    assert "101 to 150</b> of 150 annotations" in annotate_table.pager(150, 1)


def test_exports_do_not_pile_up_and_fresh_ones_stay(store, services):
    many(store, 1)
    summary = summary_of(services)
    made = [Path(summary.export("csv")["carrier"]) for _ in range(12)]
    assert all(path.is_file() for path in made)  # each may still be on its way to a browser
    now = time.time()
    for number, path in enumerate(made):
        os.utime(path.parent, (now - 600 + number,) * 2)
    os.utime(made[11].parent, (now - 4000,) * 2)
    newest = Path(summary.export("csv")["carrier"])
    left = [path for path in made if path.exists()]
    assert left == made[4:11]
    assert newest.is_file()


def test_two_tabs_that_edit_one_row_at_once_lose_nothing(store, monkeypatch):
    many(store, 1)
    row = store.current()[0]
    words_of = {"annotator": row.annotator, "verdict": row.verdict, "reason": ""}
    shown = annotate_table.selected_row(store, row.event_id)
    first = annotate_table.edited(store, row.event_id, comment="from the first tab", **words_of)
    with pytest.raises(InputError):
        annotate_table.edited(store, row.event_id, comment="from the second", **words_of)
    # And when the second has looked before the first has written.
    monkeypatch.setattr(annotate_table, "selected_row", lambda *_: shown)
    with pytest.raises(InputError, match="another page"):
        annotate_table.edited(store, row.event_id, comment="from the second", **words_of)
    assert first in store.current()
    assert "from the second" not in {each.comment for each in store.events()}
