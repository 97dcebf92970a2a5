"""The one place where errors become words on the page: never a stack, never a silent "Error"."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import gradio as gr

from adaclip.errors import AdaClipError
from demo import messages
from demo.runner import logged


def guarded(handler: Callable[..., Any]) -> Callable[..., Any]:
    """`handler`, raising gr.Error only: an AdaClipError's message, or the id of a log entry."""

    @functools.wraps(handler)
    def safe(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            _raise_for_page(error)

    return safe


def guarded_steps(handler: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """The same for a generator."""

    @functools.wraps(handler)
    def safe(*args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            yield from handler(*args, **kwargs)
        except Exception as error:
            _raise_for_page(error)

    return safe


def _raise_for_page(error: Exception) -> NoReturn:
    if isinstance(error, gr.Error):
        raise error
    # Toasts show HTML, so the text of a message, which may hold a file's name, is escaped.
    text = str(error) if isinstance(error, AdaClipError) else messages.unexpected(logged())
    raise gr.Error(html.escape(text), print_exception=False) from error
