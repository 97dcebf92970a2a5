"""Whatever is dropped: an answer or one sentence, never a stack, and the page goes on."""

from __future__ import annotations

from pathlib import Path

from demo.batch import MAX_FILES
from demo.detect.actions import DetectActions
from demo.look import Look
from tests.broken_inputs import broken_inputs, odd_inputs
from tests.demo.stub import stub_services

LOOK = Look()


def write(folder: Path, files: dict[str, bytes]) -> list[dict[str, str]]:
    """As Gradio stores uploads: HASH/NAME, with the browser's own name beside it."""
    entries = []
    for number, (name, content) in enumerate(files.items()):
        path = folder / f"{number:064x}" / f"upload{Path(name).suffix[:8]}"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        entries.append({"path": str(path), "name": name})
    return entries


def judge(tmp_path: Path, files: dict[str, bytes]):
    services = stub_services(tmp_path / "served")
    do = DetectActions(services)
    entries = write(tmp_path / "served", files)
    for start in range(0, len(entries), MAX_FILES):
        some = entries[start : start + MAX_FILES]
        key = do.dropped("", some, "object", 0.5, LOOK)["key"]
        do.start(key, "", "object", "lite", 0.5, LOOK)
        assert list(do.run(key))
        batch = services.store.get(key)
        assert batch.phase == "done"
        for index in range(len(batch.items)):
            do.select(key, index)  # every one can be looked at
        yield from batch.items


def test_every_broken_file_gets_one_sentence(tmp_path):
    for item in judge(tmp_path, broken_inputs()):
        assert item.error, item.name
        assert "\n" not in item.error
        assert "Traceback" not in item.error
        assert item.detection is None


def test_every_odd_but_good_file_gets_a_verdict(tmp_path):
    for item in judge(tmp_path, odd_inputs()):
        assert item.error == "", item.name
        assert item.detection is not None
