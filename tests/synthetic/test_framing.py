"""Framing: close-ups, parts that end inside the picture, specks; all of it normal."""

from __future__ import annotations

import numpy as np
import pytest

from adaclip.synthetic import MATERIAL_KINDS, OBJECT_KINDS, generate
from adaclip.synthetic.framing import (
    draw_framed_scene,
    with_edges,
    with_marks,
    with_specks,
)
from adaclip.synthetic.generator import _STANDS_OUT, _VISIBLE, spoil
from adaclip.synthetic.scene import Scene, draw_scene


def material(seed: int = 4) -> Scene:
    return draw_scene(np.random.default_rng(seed), "plastic", (160, 200))


@pytest.mark.parametrize("kind", MATERIAL_KINDS + OBJECT_KINDS)
def test_every_kind_can_be_framed(kind: str) -> None:
    sample = generate(3, 8, size=96, kinds=(kind,), framed=True, defective=True)
    assert sample.image.shape == (96, 96, 3)
    assert sample.mask.any()


def test_framing_changes_pictures_only_where_it_is_asked_for() -> None:
    framed = [generate(3, i, size=96, framed=True).image for i in range(6)]
    unframed = [generate(3, i, size=96).image for i in range(6)]
    assert any(not np.array_equal(a, b) for a, b in zip(framed, unframed, strict=True))


@pytest.mark.parametrize("index", range(6))
def test_a_framed_picture_and_its_twin_differ_only_by_the_defect(index: int) -> None:
    bad, good = (generate(11, index, size=128, defective=d, framed=True) for d in (True, False))
    change = np.abs(bad.image.astype(int) - good.image.astype(int)).max(-1)
    assert not good.mask.any()
    assert change[bad.mask].mean() > 4 * change[~bad.mask].mean()


def test_a_part_ends_inside_the_picture_and_something_else_begins() -> None:
    shown = [with_edges(np.random.default_rng(seed), material()) for seed in range(12)]
    for scene in shown:
        assert scene.image.shape == (160, 200, 3)
        assert scene.image.min() >= 0
        assert scene.image.max() <= 1
        beyond = scene.foreground < 0.5
        assert beyond.mean() < 0.6
        assert np.allclose(scene.image[scene.foreground == 0], scene.ground[scene.foreground == 0])
    assert sum((s.foreground < 0.5).any() for s in shown) >= 10


def test_defects_of_a_cut_part_lie_on_the_part() -> None:
    rng = np.random.default_rng(0)
    scene = with_edges(np.random.default_rng(5), material())
    for _ in range(5):
        _, mask, _ = spoil(rng, scene, ("hole", "pits", "stain"))
        assert scene.foreground[mask].mean() > 0.8


def test_specks_are_faint_and_small() -> None:
    for seed in range(8):
        scene = material()
        change = np.abs(with_specks(np.random.default_rng(seed), scene).image - scene.image)
        assert 0 < change.max() < 0.15
        assert (change.max(-1) > 5 * _VISIBLE).mean() < 0.02


def test_a_defect_stands_out_of_tolerated_marks() -> None:
    rng = np.random.default_rng(1)
    for seed in range(8):
        scene = with_marks(np.random.default_rng(seed), material())
        marks = np.abs(scene.image - material().image).max(-1)
        assert marks.max() > 0
        seen = marks[marks > 0.25 * marks.max()].mean()
        # Marks may lie on each other.
        assert seen < 2.5 * scene.tolerated < 0.3
        image, mask, _ = spoil(rng, scene, ("hole", "stain", "scratch"))
        contrast = np.abs(image - scene.image).max(-1)[mask].mean()
        assert contrast > 0.99 * _STANDS_OUT * scene.tolerated


def test_close_ups_bring_the_thing_nearer() -> None:
    shares = [
        draw_framed_scene(
            np.random.default_rng(seed), np.random.default_rng(seed), "screw", (120, 120)
        ).foreground.mean()
        for seed in range(20)
    ]
    whole = [
        draw_scene(np.random.default_rng(seed), "screw", (120, 120)).foreground.mean()
        for seed in range(20)
    ]
    assert np.mean(shares) > np.mean(whole)
