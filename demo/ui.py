"""The shell of the page: header, tabs, footer, and how it is served."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.annotate import tab as annotate_tab
from demo.annotate.wiring import AnnotateWiring
from demo.benchmark import tab as benchmark_tab
from demo.benchmark.wiring import BenchmarkWiring
from demo.detect import panels
from demo.detect import tab as detect_tab
from demo.detect.wiring import DetectWiring, wire_api
from demo.page import messages
from demo.page.events import DISPLAY
from demo.page.guard import guarded
from demo.page.theme import asset, html, theme
from demo.services import Services
from demo.visitor import intake

MAX_FILE_SIZE = "60mb"
STYLES = (
    "style.css",
    "flag.css",
    "annotate.css",
    "benchmark.css",
    "results.css",
    "benchmark_page.css",
)
SCRIPTS = ("dom.js", "region_mask.js", "region.js")  # in the head: there before any component's own


# Label -> what lays a tab out. They are wired in build_ui, since they know of one another: a
# Benchmark picture opens in Detect, and Annotate looks at Detect's. A lone tab gets no tab bar.
TABS: dict[str, Callable[[Services], Any]] = {
    "Detect": detect_tab.build,
    "Benchmark": benchmark_tab.build,
    "Annotate": annotate_tab.build,
}


class Page(gr.Blocks):
    """Gradio downloads files that a request names by URL, on the server; this page does not."""

    def get_config_file(self) -> Any:
        """As Gradio's, without the connection that every open page would hold for ever.

        A browser opens six to one address: the seventh page would never load. What a closed page
        leaves behind ends with its queue's stream and with the limits of the ResultStore.
        """
        return {**super().get_config_file(), "connect_heartbeat": False}

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """As Gradio's, once no URL is among the data. Raises gr.Error."""
        if intake.names_url(inputs):
            raise gr.Error(messages.NO_URLS, print_exception=False)
        try:
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            # A picture or a mask that Pillow cannot read; Gradio would say only "Error".
            raise gr.Error(messages.UNREADABLE_INPUT, print_exception=False) from error


class NoForwarding:
    """Gradio's file and proxy routes fetch an address for whoever asks; here they do not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """403 for a path that names an address elsewhere; everything else passes."""
        path = scope.get("path", "").lower()
        if any(mark in path for mark in ("file=http:", "file=https:", "/proxy=")):
            await PlainTextResponse(messages.NO_URLS, 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def build_ui(services: Services) -> gr.Blocks:
    """The whole page, ready to be launched with `shell_params`."""
    with Page(
        title=messages.TITLE,
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(3600, 86400),
    ) as page:
        with gr.Row(elem_id="shell-top"):
            html(panels.header(), elem_id="header")
            device = html(_device(services, services.default_checkpoint().id), elem_id="device")
        several = len(TABS) > 1
        built: dict[str, Any] = {}
        opened: dict[str, Any] = {}
        with gr.Tabs(elem_id="tabs") if several else nullcontext():
            for label, build in TABS.items():
                with gr.Tab(label, id=label.lower()) if several else nullcontext() as opened[label]:
                    built[label] = build(services)
        html(panels.footer() + panels.help_overlay(), elem_id="footer")
        wire_api(services)
        detect = DetectWiring(built["Detect"], services)
        detect.wire(page)
        if "Benchmark" in built:
            built["Benchmark"].link.render()
            BenchmarkWiring(built["Benchmark"], services).wire(detect.controls)
        if "Annotate" in built:
            wiring = AnnotateWiring(built["Annotate"], detect.controls, services)
            wiring.wire(opened["Annotate"])
        _wire_device(services, built["Detect"].checkpoint, device)
    page.queue(default_concurrency_limit=4, max_size=64)
    return page


def shell_params(
    *, weights_folder: Path | None = None, private: Sequence[Path] = ()
) -> dict[str, Any]:
    """What launch() needs besides address and password; nothing in `private` folders is served."""
    blocked = [*([weights_folder] if weights_folder else []), *private]
    return {
        "theme": theme(),
        "css": "\n".join(asset(name) for name in STYLES),
        "js": asset("keys.js"),
        "head": asset("head.html") + "".join(f"<script>{asset(name)}</script>" for name in SCRIPTS),
        "favicon_path": str(Path(__file__).parent / "assets" / "favicon.svg"),
        "ssr_mode": False,
        "show_error": False,
        "run_history": False,
        "enable_monitoring": False,
        "strict_cors": True,
        "footer_links": ["api"],
        "max_file_size": MAX_FILE_SIZE,
        "app_kwargs": {"middleware": [Middleware(NoForwarding)]},
        "allowed_paths": [],
        "blocked_paths": [str(folder) for folder in blocked],
    }


def _wire_device(services: Services, checkpoint: gr.Dropdown, device: gr.HTML) -> None:
    """The status at the top."""
    timer = gr.Timer(1.0)

    def tick(checkpoint_id: str) -> tuple[str, gr.Timer]:
        settled = services.pool.state(checkpoint_id) == "ready"
        return _device(services, checkpoint_id), gr.Timer(5.0 if settled else 1.5)

    timer.tick(guarded(tick), checkpoint, [device, timer], **DISPLAY)
    checkpoint.change(guarded(tick), checkpoint, [device, timer], **DISPLAY)


def _device(services: Services, checkpoint_id: str) -> str:
    info = services.checkpoint(checkpoint_id)
    name = services.pool.device_name
    return panels.device_status(
        services.pool.state(info.id),
        "" if name == "auto" else name,
        info.title,
        services.pool.failure(info.id) or "",
    )
