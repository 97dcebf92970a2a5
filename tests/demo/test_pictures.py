"""What the page draws."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from adaclip.errors import ImageError
from demo.batch import Item
from demo.look import Look
from demo.visitor.pictures import find, findings, open_picture, render, stage_pictures
from tests.demo.stub import stub_detection, tile

BOX = (40, 30, 80, 70)


@pytest.mark.parametrize("view", ["overlay", "contours", "mask", "map"])
def test_every_view_has_the_shape_of_the_picture(view):
    picture = tile([BOX])
    detection = stub_detection(picture)
    look = Look(view=view)
    drawn = render(picture, detection, find(detection, look), look)
    assert drawn.shape == picture.shape
    assert drawn.dtype == np.uint8


def test_the_mask_is_where_the_defect_is():
    picture = tile([BOX])
    detection = stub_detection(picture)
    look = Look(view="mask")
    drawn = render(picture, detection, find(detection, look), look)
    assert drawn[50, 60].tolist() == [255, 255, 255]
    assert drawn[5, 5].tolist() == [0, 0, 0]


def test_a_calm_picture_stays_itself_under_the_fixed_scale():
    picture = tile()
    detection = stub_detection(picture)
    look = Look()
    drawn = render(picture, detection, find(detection, look), look)
    # 20 levels below white on a 0-255 scale: the cover has only just begun to fade in.
    assert np.abs(drawn.astype(int) - picture).max() <= 12


def test_a_region_smaller_than_the_least_area_is_left_out():
    detection = stub_detection(tile([BOX]))
    assert len(find(detection, Look(min_area_percent=0.1)).regions) == 1
    # The box is 8 % of the picture; the slider ends at 2 %, a small box is less.
    small = stub_detection(tile([(40, 30, 46, 36)]))
    assert find(small, Look(min_area_percent=2.0)).regions == ()


def test_previews_are_never_squashed_and_small_pictures_keep_their_pixels(services, upload):
    for size in ((120, 160), (2000, 3000), (1500, 40)):
        path = upload(pixels=tile(size=size))
        store = services.store
        batch = store.get(store.create([("t.png", path)]))
        open_picture(batch.current, batch.folder)
        with Image.open(batch.current.preview) as preview:
            assert max(preview.size) == min(max(size), 1400)
            assert preview.width / preview.height == pytest.approx(size[1] / size[0], rel=0.02)


def test_no_metadata_of_an_upload_is_passed_on(services, upload):
    path = upload("gps.jpg")
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    Image.fromarray(tile([BOX])).save(path, exif=exif)
    store = services.store
    batch = store.get(store.create([("gps.jpg", path)]))
    open_picture(batch.current, batch.folder)
    batch.current.detection = stub_detection(tile([BOX]))
    original, drawn = stage_pictures(store, batch)
    for shown in (original, drawn):
        with open(shown, "rb") as file:
            assert b"SecretCamera" not in file.read()


def test_an_upload_that_is_gone_says_so(tmp_path):
    with pytest.raises(ImageError, match="no longer on the server"):
        open_picture(Item(name="x.png", path=tmp_path / "x.png"), tmp_path)


def test_findings_are_remembered_and_never_those_of_another_picture(services):
    look = Look()
    one, two = stub_detection(tile([BOX])), stub_detection(tile())
    first = findings(services.store, one, look)
    assert findings(services.store, one, look) is first
    assert findings(services.store, two, look).regions == ()
