"""The page, served in this process on a free port with the stub behind it."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Gradio reads these when it is imported.
_FOLDER = Path(tempfile.mkdtemp(prefix="adaclip-e2e-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
os.environ["GRADIO_TEMP_DIR"] = str(_FOLDER)
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from demo.services import Services  # noqa: E402 - after the environment is set
from tests.demo.stub import StubPool, stub_services  # noqa: E402
from tests.e2e.browsing import ARGUMENTS, CHROMIUM  # noqa: E402

_THIRD_PARTY = (
    # Gradio 6.31's queue uses what pandas 3 deprecates, in its own threads; nothing of ours does.
    "ignore::pandas.errors.Pandas4Warning",
    # Gradio's server and client leave event loops and sockets to the garbage collector.
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::ResourceWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of this folder alone: the server's threads warn while they run."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for warning in _THIRD_PARTY:
                item.add_marker(pytest.mark.filterwarnings(warning))


@dataclass(frozen=True)
class Served:
    """A running page."""

    url: str
    services: Services
    folder: Path

    @property
    def pool(self) -> StubPool:
        """The stub, to count what the model was asked."""
        return self.services.pool  # type: ignore[return-value]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def launch(services: Services, *, auth: tuple[str, str] | None = None, **shell: Any) -> Any:
    """A page of its own in this process, to be closed; `shell` is for `shell_params`."""
    from demo.ui import build_ui, shell_params

    page = build_ui(services)
    page.launch(
        server_name="127.0.0.1",
        server_port=free_port(),
        prevent_thread_lock=True,
        quiet=True,
        auth=auth,
        **shell_params(**shell),
    )
    return page


@contextmanager
def launched(services: Services, private: Sequence[Path] = ()) -> Iterator[str]:
    """The same for as long as the block lasts; its address."""
    page = launch(services, private=private)
    yield page.local_url.rstrip("/")
    page.close(verbose=False)


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """The browser, or a skip where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """One page for all tests; the model takes a quarter of a second per picture."""
    services = stub_services(_FOLDER, seconds=0.25)
    # Beside what is served: only `blocked_paths` keeps it in.
    weights, public = _FOLDER / "weights", _FOLDER / "public"
    for folder in (weights, public):
        folder.mkdir()
        (folder / "secret.safetensors").write_bytes(b"weights")
    page = launch(services, weights_folder=weights)
    yield Served(url=page.local_url.rstrip("/"), services=services, folder=weights)
    page.close(verbose=False)
    with warnings.catch_warnings():  # here, so that what Gradio left is not found in other tests
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def picture(tmp_path: Path):
    """Write a picture: a light tile with dark boxes."""
    from PIL import Image

    from tests.demo.stub import tile

    def write(name: str = "tile.png", defects=((40, 30, 80, 70),)) -> Path:
        path = tmp_path / name
        Image.fromarray(tile(defects)).save(path)
        return path

    return write
