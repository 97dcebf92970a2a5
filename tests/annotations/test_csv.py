"""A row survives anything that can be typed, and nothing in it is run or rewritten elsewhere."""

from __future__ import annotations

import csv
import dataclasses
import random
import re

import pytest

from adaclip.annotations.csv_rows import (
    HEADER,
    HEADER_LINE,
    changed_columns,
    decode_lines,
    decode_text,
    encode,
    encode_text,
    is_whole,
)
from adaclip.annotations.record import COLUMNS, Annotation
from tests.annotations.samples import FORMULAS, PIECES, random_text, row

# Control characters, line and paragraph ends, halves of pairs, marks that turn the direction.
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
READY = {"event_id": "e0123456789", "ts_utc": "2026-01-31T12:00:00.000000Z"}


def ready(**changes) -> Annotation:
    return row(**READY | changes)


def test_columns_are_fixed_and_a_header_names_them():
    assert HEADER_LINE.decode().strip().split(",") == list(HEADER)
    assert list(HEADER) == [*COLUMNS, "row_check"]
    assert len(HEADER) == 39
    assert COLUMNS[0] == "schema"
    assert ready().schema == "adaclip-annotations/1"


def test_twenty_thousand_random_texts_come_back_exactly_from_one_line_each():
    rng = random.Random(5)
    texts = [random_text(rng) for _ in range(20_000)]
    for text in texts:
        cell = encode_text(text)
        assert decode_text(cell) == text
        assert not HIDDEN.search(cell)
        assert not re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell)
    # And through whole rows, four texts in each.
    columns = ("comment", "prompt", "threshold_source", "queue_policy")
    fours = [texts[start : start + 4] for start in range(0, len(texts), 4)]
    rows = [ready(**dict(zip(columns, four, strict=True))) for four in fours]
    lines = b"".join(map(encode, rows)).split(b"\n")[:-1]
    assert len(lines) == len(rows)
    assert decode_lines(lines) == rows


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_begins_a_formula_whatever_separates_cells(formula):
    line = encode(ready(comment=f"fine; {formula};{formula}", class_name=formula)).decode()
    for separator in ",;\t":
        for cells in csv.reader([line], delimiter=separator):
            for name, cell in enumerate(cells):
                number = re.fullmatch(r"-?[\d.e-]+", cell)  # numbers stay numbers
                assert number or not re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell), (
                    name,
                    cell,
                )


def test_numbers_stay_numbers():
    line = encode(ready(image_margin=-0.5, image_score=0.1, lead_time_ms=1200)).decode()
    cells = dict(zip(HEADER, next(csv.reader([line])), strict=True))
    assert (cells["image_margin"], cells["image_score"], cells["lead_time_ms"]) == (
        "-0.5",
        "0.1",
        "1200",
    )


@pytest.mark.parametrize("text", ["01", "1e5", "TRUE", "false", "1/2", "MAR1", "3-4", "1.10", "1 "])
def test_text_a_spreadsheet_would_rewrite_is_marked(text):
    assert encode_text(text) == "'" + text


@pytest.mark.parametrize("text", ["", "1", "42", "nut", "macaroni1", "trueish", "0"])
def test_plain_text_is_left_alone(text):
    assert encode_text(text) == text


def test_any_cut_and_any_changed_byte_is_noticed():
    line = encode(ready(comment="quoted, and long")).rstrip(b"\n")
    assert is_whole(line)
    assert not any(is_whole(line[:end]) for end in range(len(line) - 38))
    for place in range(line.rindex(b",")):
        changed = line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]
        assert not is_whole(changed)


def test_the_check_names_the_cells_that_changed():
    cells = next(csv.reader([encode(ready()).decode()]))
    cells[HEADER.index("comment")] = "another"
    cells[HEADER.index("image_score")] = "0.8"
    assert changed_columns(cells[:-1], cells[-1]) == ["image_score", "comment"]


def test_a_forged_check_gains_nothing():
    good = ready()
    for changes in (
        {"event_id": "../../etc"},
        {"rel_path": "../secret.png"},
        {"rel_path": "/etc/passwd"},
        {"region_kind": "mask", "region_path": "masks/../../etc/passwd.png"},
        {"region_kind": "mask", "region_path": f"masks/{good.pixel_sha256[:16]}_../x.png"},
        {"region_kind": "mask", "region_path": "/masks/0123456789abcdef_e0123456789.png"},
        {"pixel_sha256": "../" + good.pixel_sha256[3:]},
        {"verdict": "<b>"},
        {"image_score": 1.5},
        {"image_margin": float("inf")},
        {"width": 0},
    ):
        line = encode(dataclasses.replace(good, **changes)).rstrip(b"\n")
        assert is_whole(line)
        [found] = decode_lines([line])
        assert isinstance(found, str), changes


def test_a_forged_quote_swallows_no_line():
    import zlib

    body = b'a",x,"'
    forged = body + b",c%08x" % zlib.crc32(body)
    good = encode(ready()).rstrip(b"\n")
    found = decode_lines([forged, good])
    assert isinstance(found[0], str)
    assert found[1] == ready()


def test_every_piece_is_one_printable_line():
    for piece in PIECES:
        assert encode(ready(comment=piece)).count(b"\n") == 1
