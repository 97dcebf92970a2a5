"""The running app under load: start-up, first result, and eight clients with two checkpoints.

    python -m benchmarks.app_load --seconds 120

Starts `app.py` as a user would, on this machine only. The second checkpoint has random weights:
it is here to be told apart, not to detect.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
from gradio_client import Client, handle_file
from PIL import Image

from adaclip import load_detector
from tests.tiny import write_tiny

ROOT = Path(__file__).resolve().parents[1]
CLIENTS, TOLERANCE = 8, 1e-3
# More than the page remembers, and every client elsewhere in the row: the engine has to answer.
PICTURES = 160


def wait_for_page(url: str, limit: float) -> None:
    started = time.monotonic()
    while time.monotonic() - started < limit:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise SystemExit(f"no page within {limit} s")


def pictures(folder: Path, count: int) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = []
    for index in range(count):
        noise = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        path = folder / f"picture {index}.png"
        Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC).save(path)
        paths.append(path)
    return paths


def expected_scores(paths: list[Path], checkpoints: list[str]) -> dict[tuple[str, str], float]:
    return {
        (checkpoint, path.name): detection.anomaly_score
        for checkpoint in checkpoints
        for detector in [load_detector(checkpoint)]
        for path in paths
        for detection in detector.detect([np.asarray(Image.open(path))], path.stem)
    }


def hammer(url: str, paths: list[Path], checkpoints: list[str], until: float, tally: dict) -> None:
    """One client; every answer is compared with the one it gives alone."""
    client = Client(url, verbose=False)
    number = tally["number"]
    while time.monotonic() < until:
        path, checkpoint = paths[number % len(paths)], checkpoints[number // 3 % len(checkpoints)]
        number += 1
        tally["asked"] += 1
        answer = client.predict(handle_file(path), path.stem, checkpoint, None, api_name="/detect")
        tally["answered"] += 1
        difference = abs(answer["anomaly_score"] - tally["expected"][checkpoint, path.name])
        tally["worst"] = max(tally["worst"], difference)
        if answer["checkpoint"] != checkpoint or difference >= TOLERANCE:
            tally["wrong"] += 1


def run(seconds: float, folder: Path) -> int:
    os.environ["ADACLIP_HOME"] = str(folder)
    write_tiny(folder / "second.safetensors")
    paths, checkpoints = pictures(folder, PICTURES), ["lite", "second"]
    expected = expected_scores(paths, checkpoints)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    started = time.monotonic()
    app = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT)
    try:
        wait_for_page(url, 60)
        print(f"page up after      {time.monotonic() - started:6.1f} s")
        client = Client(url, verbose=False)
        client.predict(handle_file(paths[0]), "object", "lite", None, api_name="/detect")
        print(f"first result after {time.monotonic() - started:6.1f} s")
        until = time.monotonic() + seconds
        tallies = [
            {
                "number": i * PICTURES // CLIENTS,
                "asked": 0,
                "answered": 0,
                "wrong": 0,
                "worst": 0.0,
                "expected": expected,
            }
            for i in range(CLIENTS)
        ]
        arguments = [(url, paths, checkpoints, until, tally) for tally in tallies]
        threads = [threading.Thread(target=hammer, args=a, daemon=True) for a in arguments]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=seconds + 120)
    finally:
        app.terminate()
        app.wait(20)
    asked, answered, wrong = (sum(t[k] for t in tallies) for k in ("asked", "answered", "wrong"))
    print(f"{CLIENTS} clients, {seconds:.0f} s: {asked} asked, {answered} answered, {wrong} wrong")
    print(f"largest difference from the answer alone: {max(t['worst'] for t in tallies):.1e}")
    return int(asked != answered or wrong > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return run(arguments.seconds, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
