"""The web demo: flags and environment -> settings -> services -> page -> launch. Nothing else.

The page is up before the model is: torch is imported in a background thread after the launch.
"""

from __future__ import annotations

import argparse
import atexit
import importlib
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import typing
from pathlib import Path

from adaclip.config import DetectConfig, Precision
from adaclip.errors import AdaClipError, InputError

logger = logging.getLogger("adaclip.app")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line; the password may come from the environment, where `ps` does not show it."""
    defaults = DetectConfig()
    parser = argparse.ArgumentParser(prog=Path(sys.argv[0]).name, description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=7860, help="(%(default)s)")
    parser.add_argument("--device", default=defaults.device, help="auto, cpu, cuda (%(default)s)")
    parser.add_argument(
        "--precision", default=defaults.precision, choices=typing.get_args(Precision)
    )
    parser.add_argument("--checkpoint", default=defaults.checkpoint, help="id to start with")
    parser.add_argument("--auth", metavar="USER:PASSWORD", default=os.environ.get("APP_AUTH", ""))
    folders: dict[str, typing.Any] = {"type": Path, "metavar": "DIR"}
    parser.add_argument("--annotations", **folders, help="where annotations are kept")
    parser.add_argument("--runs", **folders, help="where evaluation runs are kept")
    parser.add_argument(
        "--data-root", **folders, action="append", default=[], help="pictures the page may show"
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    return parser.parse_args(arguments)


def credentials(text: str) -> tuple[str, str] | None:
    """(user, password) of "user:password". Raises InputError; never shows the password."""
    if not text:
        return None
    user, separator, password = text.partition(":")
    if not (user and separator and password):
        raise InputError("--auth or APP_AUTH must be USER:PASSWORD, both not empty")
    return user, password


def check_port(host: str, port: int) -> None:
    """Raise InputError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise InputError(
                f"cannot listen on {host}:{port} ({error}); stop what uses it, or choose "
                "another with --port"
            ) from error


def prepare_environment() -> Path:
    """Gradio's private folder, made for this run and removed after it; no word to the outside.

    Must come before gradio is imported.
    """
    folder = Path(tempfile.mkdtemp(prefix="adaclip-studio-"))  # mode 0700
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    return folder


def warm_up(services: typing.Any) -> None:
    """Load the charts' library and the first checkpoint while the visitor looks at the page."""
    importlib.import_module("demo.benchmark.figures")  # the Benchmark tab's, which take a second
    info = services.default_checkpoint()
    if not info.present:
        logger.warning("%s is not on this machine. %s", info.title, info.how_to_get)
        return
    try:
        services.pool.get(info.id)
    except AdaClipError as error:
        logger.warning("%s could not be loaded: %s", info.title, error)
    except Exception:
        logger.exception("%s could not be loaded", info.title)


def read_annotations(services: typing.Any) -> None:
    """Read the file before anybody asks; who asks meanwhile waits for the same reading."""
    if services.annotations is None:
        return
    try:
        services.annotations.current()
    except AdaClipError as error:
        logger.warning("annotations cannot be kept: %s", error)


def main(arguments: list[str] | None = None) -> int:
    """Serve the page until Ctrl-C; the exit code."""
    flags = parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        auth = credentials(flags.auth)
        check_port(flags.host, flags.port)
        folder = prepare_environment()
        from demo.start import services_for
        from demo.ui import build_ui, shell_params

        services, private = services_for(flags, folder)
        page = build_ui(services)
        page.launch(
            server_name=flags.host,
            server_port=flags.port,
            auth=auth,
            inbrowser=flags.open,
            prevent_thread_lock=True,
            quiet=True,
            **shell_params(private=private),
        )
    except AdaClipError as error:
        logger.error("%s", error)
        return 2
    logger.info("AdaCLIP Studio is on %s (stop with Ctrl-C)", page.local_url)
    for work in (read_annotations, warm_up):
        threading.Thread(target=work, args=(services,), daemon=True, name=work.__name__).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a container's stop is a Ctrl-C
    try:
        page.block_thread()
    except KeyboardInterrupt:
        pass
    finally:
        page.close(verbose=False)
    return 0
