"""The Detect tab's doings without a browser."""

from __future__ import annotations

import dataclasses
import gc
import time
import warnings
from pathlib import Path

import gradio as gr
import pytest

from adaclip.errors import CheckpointError, FetchError, InputError
from demo.detect import panels
from demo.detect import tab as detect_tab
from demo.detect.actions import DetectActions
from demo.look import Look
from demo.visitor import intake
from tests.demo.stub import infos, stub_services, tile

LOOK = Look()


@pytest.fixture
def do(services) -> DetectActions:
    return DetectActions(services)


def drop(do: DetectActions, *paths: Path, key: str = "") -> str:
    files = [{"path": str(path), "name": path.name} for path in paths]
    return do.dropped(key, files, "object", 0.5, LOOK)["key"]


def detect(do: DetectActions, key: str, checkpoint: str = "lite", name: str = "tile") -> dict:
    do.start(key, "", name, checkpoint, 0.5, LOOK)
    return list(do.run(key))[-1]


def test_drop_and_detect_gives_a_verdict(do, upload):
    screen = detect(do, drop(do, upload()))
    assert "Anomalous" in screen["verdict"]
    assert screen["viewer"].visible


def test_thresholds_change_the_verdict_without_the_model(do, services, upload):
    key = drop(do, upload())
    detect(do, key)
    calls = services.pool.calls
    assert 'chip normal"' in do.judge(key, 0.99)["verdict"]
    assert "set by you" in do.judge(key, 0.99)["verdict"]
    do.redraw(key, Look(map_threshold=0.9, view="contours"))
    do.step(key, 1)
    assert services.pool.calls == calls


def test_other_weights_bring_their_own_thresholds(do, upload):
    key = drop(do, upload())
    first = do.start(key, "", "tile", "lite", 0.77, LOOK)
    assert first["threshold"] == 0.5
    list(do.run(key))
    again = do.start(key, "lite", "tile", "lite", 0.77, LOOK)
    assert "threshold" not in again
    list(do.run(key))
    other = do.start(key, "lite", "tile", "mvtec", 0.77, LOOK)
    assert other["threshold"] == 0.9


def test_a_device_in_use_is_said(do, services, upload):
    keys = [drop(do, upload(f"{n}.png")) for n in range(3)]
    screens = [do.start(key, "", "tile", "lite", 0.5, LOOK) for key in keys]
    assert "The device is in use" not in screens[0]["verdict"]
    assert "The device is in use: 1 run is ahead" in screens[1]["verdict"]
    assert "The device is in use: 2 runs are ahead" in screens[2]["verdict"]
    assert screens[2]["cancel"].visible
    assert "Cancelled" in do.cancel(keys[1])["verdict"]
    assert list(do.run(keys[1])) == []
    assert services.runs_ahead == 2
    for key in (keys[0], keys[2]):
        list(do.run(key))
    assert services.runs_ahead == 0
    with services.device_line.taken():  # an API call
        again = do.start(keys[1], "", "tile", "lite", 0.5, LOOK)
    assert "1 run is ahead" in again["verdict"]
    services.store.drop(keys[1])
    assert services.runs_ahead == 0


def test_a_fast_run_does_not_flood_the_page(do, upload):
    key = drop(do, *(upload(f"{n}.png", tile([(0, 0, n + 9, 40)])) for n in range(40)))
    do.start(key, "", "tile", "lite", 0.5, LOOK)
    screens = list(do.run(key))
    assert len(screens) < 20
    assert "40 pictures" in screens[-1]["listing"]
    assert "waiting" not in screens[-1]["listing"]


def test_no_picture_is_said(do):
    with pytest.raises(InputError, match="no picture yet"):
        do.start("", "", "tile", "lite", 0.5, LOOK)


def test_results_that_were_dropped_are_said_to_be(do, services, upload):
    key = drop(do, upload())
    services.store.drop(key)
    with pytest.raises(InputError, match="dropped to make room"):
        do.select(key, 0)
    assert do.judge(key, 0.5) == {}


@pytest.mark.parametrize("checkpoint", ["", "nope", "../../etc/passwd", "/tmp/x.safetensors"])
def test_only_listed_checkpoints_are_used(do, upload, checkpoint):
    with pytest.raises(InputError, match="Unknown checkpoint"):
        do.start(drop(do, upload()), "", "tile", checkpoint, 0.5, LOOK)


def test_an_absent_checkpoint_says_how_to_get_it(do, upload):
    with pytest.raises(InputError, match="adaclip fetch"):
        do.start(drop(do, upload()), "", "tile", "published", 0.5, LOOK)


def test_an_empty_name_means_object_and_an_endless_one_is_refused(do, upload):
    key = drop(do, upload())
    assert "“object”" in detect(do, key, name="  ")["verdict"]
    with pytest.raises(InputError, match="too long"):
        do.start(key, "", "x" * 81, "lite", 0.5, LOOK)


def test_new_pictures_replace_the_old_and_stop_their_run(do, services, upload):
    first = drop(do, upload("a.png"))
    do.start(first, "", "tile", "lite", 0.5, LOOK)
    steps = do.run(first)
    next(steps)
    second = drop(do, upload("b.png"), key=first)
    assert list(steps) == []
    assert services.store.get(first) is None
    assert services.store.get(second) is not None


@pytest.mark.parametrize("index", [-1, 5, "0", None, 1.5])
def test_a_row_that_is_not_there_is_refused(do, upload, index):
    with pytest.raises(InputError, match="not on offer"):
        do.select(drop(do, upload()), index)


def test_previous_and_next_go_round(do, services, upload):
    key = drop(do, upload("a.png"), upload("b.png"))
    assert "b.png" in do.step(key, -1)["position"]
    assert "a.png" in do.step(key, 1)["position"]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"path": "/etc/passwd"},
        {"path": "../../etc/passwd", "name": "x"},
        {"path": None},
        {"path": "\0"},
        "x",
    ],
)
def test_only_uploads_are_taken(do, entry):
    with pytest.raises(InputError, match="not uploaded"):
        do.dropped("", [entry], "object", 0.5, LOOK)


def test_another_visitors_pictures_are_no_uploads(do, services, upload):
    key = drop(do, upload())
    preview = services.store.get(key).current.preview
    with pytest.raises(InputError, match="not uploaded"):
        do.dropped("", [{"path": str(preview)}], "object", 0.5, LOOK)


def test_a_link_out_of_the_uploads_is_refused(do, services, upload):
    path = upload()
    link = path.parent / "link.png"
    link.symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="not uploaded"):
        do.dropped("", [{"path": str(link)}], "object", 0.5, LOOK)


def test_too_many_files_are_refused_at_once(do):
    with pytest.raises(InputError, match="at most 200"):
        do.dropped("", [{}] * 201, "object", 0.5, LOOK)


def test_bundled_examples_bring_their_name(do, services):
    if not services.examples:
        pytest.skip("no examples are bundled yet")
    screen = do.example("", 0, 0.5, LOOK)
    assert screen["class_name"] == services.examples[0].class_name
    with pytest.raises(InputError, match="not on offer"):
        do.example("", 99, 0.5, LOOK)


def test_an_examples_name_does_not_stay_for_the_visitors_pictures(do, services, upload):
    if not services.examples:
        pytest.skip("no examples are bundled yet")
    files = [{"path": str(upload())}]
    for typed, expected in (
        (services.examples[0].class_name, "object"),
        ("my own part", None),
    ):
        key = do.example("", 0, 0.5, LOOK)["key"]
        assert do.dropped(key, files, typed, 0.5, LOOK).get("class_name") == expected


def test_the_leak_is_named_for_the_users_pictures_only(do, services):
    assert "trained on MVTec AD" in do.describe("", "mvtec", "metal_nut")["card"]
    assert "trained on MVTec AD," not in do.describe("", "mvtec", "candle")["card"]
    assert "not zero-shot" not in do.describe("", "lite", "metal nut")["card"]
    if services.examples:
        key = do.example("", 0, 0.5, LOOK)["key"]
        assert "not zero-shot" not in do.describe(key, "mvtec", "metal nut")["card"]


def test_an_address_names_checkpoint_and_class_and_both_are_described_at_once(do):
    screen = do.load_view({"checkpoint": "mvtec", "class": " metal_nut "})
    assert (screen["checkpoint"].value, screen["class_name"]) == ("mvtec", "metal_nut")
    assert screen["card"] == do.describe("", "mvtec", "metal_nut")["card"]


def test_an_address_that_names_nothing_known_opens_the_default(do, services):
    default = services.default_checkpoint().id
    of_benchmark = {"tab": "benchmark", "class": "tile", "checkpoint": "no such"}
    for query in ({}, of_benchmark):
        screen = do.load_view(query)
        assert screen["checkpoint"].value == default
        assert "class_name" not in screen
        assert screen["card"] == do.describe("", default, "")["card"]


def test_an_absent_checkpoint_can_be_fetched_and_a_present_one_not(do):
    assert do.describe("", "published", "x")["fetch"].visible
    assert not do.describe("", "lite", "x")["fetch"].visible


def test_only_what_the_hub_has_can_be_fetched(tmp_path):
    listed = infos()
    own = dataclasses.replace(
        listed[2], id="own", how_to_get="Put it there; `python -m adaclip fetch` cannot help."
    )
    gone = dataclasses.replace(listed[2], id="gone", how_to_get="")

    def downloads(checkpoint_id):
        if checkpoint_id == "gone":
            raise CheckpointError("unknown")
        return [("hub",)] if checkpoint_id == "published" else []

    services = stub_services(tmp_path, catalogue=lambda: [own, gone, *listed], downloads=downloads)
    assert [i.id for i in services.catalogue() if services.can_fetch(i)] == ["published"]


def test_thresholds_set_before_the_first_run_are_kept(services, upload):
    chosen = infos()[1]
    moved = dataclasses.replace(
        services, defaults=dataclasses.replace(services.defaults, checkpoint=chosen.id)
    )
    with warnings.catch_warnings():  # Gradio leaves an event loop to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        with gr.Blocks(analytics_enabled=False):
            tab = detect_tab.build(moved)
        gc.collect()
    assert (tab.threshold.value, tab.map_threshold.value) == (0.9, chosen.map_threshold)
    do = DetectActions(moved)
    key = drop(do, upload())
    screen = do.start(key, tab.judged.value, "tile", chosen.id, 0.77, LOOK)
    assert "threshold" not in screen
    assert moved.store.get(key).threshold.value == 0.77


def test_the_reason_of_a_failed_load_is_said():
    said = panels.device_status("failed", "CPU", "Lite", "the file <x>\nis damaged")
    assert "Lite could not be loaded: the file &lt;x&gt; is damaged" in said
    assert "could not be loaded<" in panels.device_status("failed", "CPU", "Lite")


def test_a_failed_fetch_ends_with_the_reason(do):
    last = list(do.fetch("", "published", "x"))[-1]
    assert "cannot be reached" in last["card"]
    assert not last["fetch_cancel"].visible


def test_closing_a_fetch_cancels_it(tmp_path):
    seen = []

    def slow(_id, *, progress, cancelled):
        while not cancelled():
            pass
        seen.append("cancelled")
        raise FetchError("cancelled")

    steps = DetectActions(stub_services(tmp_path, fetch=slow)).fetch("", "published", "x")
    next(steps)
    steps.close()
    for _ in range(1000):
        if seen:
            break
        time.sleep(0.005)
    assert seen == ["cancelled"]


def test_every_download_is_written(do, services, upload):
    key = drop(do, upload(), upload("b.png", tile()))
    detect(do, key)
    for kind in ("overlay", "mask", "map16", "margin", "csv", "zip"):
        last = list(do.download(key, kind, 0.5, LOOK))[-1]
        assert Path(last["carrier"]).stat().st_size > 100
        assert Path(last["carrier"]).is_relative_to(services.store.get(key).folder)


def test_api_answers_have_the_documented_fields(services, upload):
    answer = intake.detect_one(services, upload("x.png"), "tile", "lite", None)
    assert list(answer) == [
        "image",
        "class_name",
        "anomaly_score",
        "verdict",
        "threshold",
        "threshold_source",
        "checkpoint",
        "seconds",
    ]
    assert answer["threshold_source"] == "F1-max on synthetic parts"
    # Within half a slider step of the recommended 0.5, where the page would snap.
    answer = intake.detect_one(services, upload("x.png"), "tile", "lite", 0.5004)
    assert (answer["threshold"], answer["threshold_source"]) == (0.5004, "manual")


@pytest.mark.parametrize("threshold", [2, -0.01, float("nan"), float("inf"), True, "0.5"])
def test_an_api_threshold_that_is_none_is_refused(services, upload, threshold):
    with pytest.raises(InputError, match="from 0 to 1"):
        intake.detect_one(services, upload("x.png"), "tile", "lite", threshold)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (None, "no picture yet"),
        ({"path": "https://example.org/x.png"}, "Web addresses"),
        ({"path": "HTTP://127.0.0.1/x.png"}, "Web addresses"),
        ({"path": "/etc/passwd"}, "not uploaded"),
        ({"path": None}, "not uploaded"),
        ("/etc/passwd", "not uploaded"),
        ([1], "not uploaded"),
    ],
)
def test_an_api_call_names_an_upload_or_is_refused(services, image, words):
    with pytest.raises(InputError, match=words):
        intake.api_image(image, services.store.folder)


def test_an_api_call_may_name_an_upload(services, upload):
    path = upload()
    assert intake.api_image({"path": str(path)}, services.store.folder) == path.resolve()


@pytest.mark.parametrize("data", [[{"path": "http://x"}], {"a": [{"b": {"path": "https://x"}}]}])
def test_web_addresses_are_found_at_any_depth(data):
    assert intake.names_url(data)
    assert not intake.names_url(["http://x is only text", {"path": "/tmp/x"}, None, 3])


def test_suggestions_cover_the_published_classes_in_words():
    names = dict(intake.suggestions()).values()
    assert {"object", "metal nut", "candle", "brain mri"} <= set(names)
    assert not any("_" in name for name in names)


def test_long_lists_of_training_sets_are_counted():
    info = infos()[0]
    object.__setattr__(info, "trained_on", ("mvtec", "visa", "mpdd", "btad", "sdd"))
    assert panels.trained_on(info).startswith("5 datasets: MVTec AD, VisA")
