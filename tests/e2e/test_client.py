"""The page as a program sees it: one endpoint, plain errors, nothing else on offer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from gradio import processing_utils
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from demo.page import messages

FIELDS = {
    "image": str,
    "class_name": str,
    "anomaly_score": float,
    "verdict": str,
    "threshold": float,
    "threshold_source": str,
    "checkpoint": str,
    "seconds": float,
}


@pytest.fixture(scope="module")
def client(served) -> Client:
    return Client(served.url, verbose=False)


def test_detect_answers_with_the_documented_fields(client, picture):
    answer = client.predict(handle_file(picture()), "metal nut", "lite", None, api_name="/detect")
    assert {name: type(value) for name, value in answer.items()} == FIELDS
    assert answer["verdict"] == "anomalous"
    assert answer["threshold_source"] == "F1-max on synthetic parts"
    assert answer["image"] == "tile.png"


def test_only_the_image_has_to_be_given(client, picture):
    answer = client.predict(image=handle_file(picture("calm.png", ())), api_name="/detect")
    assert (answer["verdict"], answer["class_name"]) == ("normal", "object")


def test_a_threshold_of_ones_own(client, picture):
    image = handle_file(picture())
    answer = client.predict(image=image, threshold=0.99, api_name="/detect")
    assert answer["verdict"] != "anomalous"
    assert (answer["threshold"], answer["threshold_source"]) == (0.99, "manual")
    answer = client.predict(image=image, threshold=0.5004, api_name="/detect")
    assert (answer["threshold"], answer["threshold_source"]) == (0.5004, "manual")


def test_the_same_question_asks_the_model_once(client, served, picture):
    image = picture("once.png", ((3, 3, 99, 99),))
    first = client.predict(image=handle_file(image), api_name="/detect")
    calls = served.pool.calls
    assert client.predict(image=handle_file(image), api_name="/detect") == first
    assert served.pool.calls == calls


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"checkpoint": "nope"}, "Unknown checkpoint"),
        ({"checkpoint": "../../etc/passwd"}, "Unknown checkpoint"),
        ({"checkpoint": "published"}, "Not on this machine"),
        ({"threshold": 2}, "from 0 to 1"),
        ({"class_name": "x" * 81}, "too long"),
    ],
)
def test_what_cannot_be_done_is_said(client, picture, change, words):
    with pytest.raises(AppError, match=words):
        client.predict(image=handle_file(picture()), api_name="/detect", **change)


def test_a_file_that_is_no_picture_is_said_to_be_none(client, tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("hello")
    with pytest.raises(AppError, match="text, not an image"):
        client.predict(image=handle_file(path), api_name="/detect")


def test_without_an_image_there_is_a_sentence(client):
    with pytest.raises(AppError, match="no picture yet"):
        client.predict(image=None, api_name="/detect")


@pytest.fixture
def neighbour() -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/x.png", asked
        server.shutdown()


def test_a_web_address_is_not_fetched(client, neighbour, monkeypatch):
    url, asked = neighbour
    # Gradio's own download refuses this machine's addresses; other hosts' must not be asked either.
    downloads: list[str] = []

    async def download(url: str, cache_dir: str) -> str:
        downloads.append(url)
        httpx.get(url)
        return url

    monkeypatch.setattr(processing_utils, "async_ssrf_protected_download", download)
    with pytest.raises(AppError, match="Web addresses are not fetched"):
        client.predict(image=handle_file(url), api_name="/detect")
    # As any other argument of any event, too.
    with pytest.raises(AppError, match="Web addresses are not fetched"):
        client.predict(image=None, class_name=handle_file(url), api_name="/detect")
    assert (asked, downloads) == ([], [])


def test_only_detect_is_on_offer(client, served):
    assert set(client.view_api(return_format="dict", print_info=False)["named_endpoints"]) == {
        "/detect"
    }
    info = httpx.get(f"{served.url}/gradio_api/info").json()
    assert set(info["named_endpoints"]) == {"/detect"}
    assert info["unnamed_endpoints"] == {}


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "app.py", "demo/ui.py"])
def test_files_of_the_machine_are_not_served(served, path):
    assert httpx.get(f"{served.url}/gradio_api/file={path}").status_code in (403, 404)


@pytest.mark.parametrize("route", ["file=http://", "file=https://", "proxy=http://"])
def test_the_server_fetches_no_address_for_anyone(served, route):
    answer = httpx.get(f"{served.url}/gradio_api/{route}127.0.0.1:9/picture.png")
    assert answer.status_code == 403
    assert answer.text == messages.NO_URLS


def test_weights_are_not_served(served):
    path = served.folder / "secret.safetensors"
    assert httpx.get(f"{served.url}/gradio_api/file={path}").status_code == 403
    twin = served.folder.parent / "public" / path.name  # as served.folder, but not blocked
    assert httpx.get(f"{served.url}/gradio_api/file={twin}").content == path.read_bytes()


def test_there_is_no_monitoring_and_no_run_history(served):
    assert httpx.get(f"{served.url}/monitoring").status_code in (403, 404)
    assert httpx.get(f"{served.url}/gradio_api/runs").status_code == 404
    assert httpx.get(f"{served.url}/config").json()["run_history"] is False
