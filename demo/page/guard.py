"""The one place where errors become words on the page: never a stack, never a silent "Error"."""

from __future__ import annotations

import functools
import html
import logging
import secrets
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import gradio as gr

from adaclip.errors import AdaClipError
from demo.page import messages

logger = logging.getLogger(__name__)


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


def signed(wrapper: Callable[..., Any], handler: Callable[..., Any]) -> Callable[..., Any]:
    """Gradio reads a handler's signature to know that it wants the event's data."""
    wrapper.__wrapped__ = handler  # type: ignore[attr-defined]
    wrapper.__name__ = handler.__name__
    wrapper.__annotations__ = dict(handler.__annotations__)
    return wrapper


class Answers:
    """Handlers that say {component name: value}, as Gradio takes them, errors in words."""

    def __init__(self, parts: dict[str, Any]) -> None:
        """`parts` are the components by name; one of them is called "key"."""
        self._parts = parts

    def once(self, handler: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
        """`handler`, for an event with one answer."""

        def named(*args: Any) -> dict[Any, Any]:
            return self._components(handler(*args))

        return signed(guarded(named), handler)

    def steps(self, handler: Callable[..., Iterator[dict[str, Any]]]) -> Callable[..., Any]:
        """The same for a generator."""

        def named(*args: Any) -> Iterator[dict[Any, Any]]:
            for screen in handler(*args):
                yield self._components(screen)

        return signed(guarded_steps(named), handler)

    def _components(self, screen: dict[str, Any]) -> dict[Any, Any]:
        screen = screen or {"key": gr.skip()}  # Gradio takes no empty answer
        return {self._parts[name]: value for name, value in screen.items()}


def _raise_for_page(error: Exception) -> NoReturn:
    if isinstance(error, gr.Error):
        raise error
    # Toasts show HTML, so the text of a message, which may hold a file's name, is escaped.
    text = str(error) if isinstance(error, AdaClipError) else messages.unexpected(logged())
    raise gr.Error(html.escape(text), print_exception=False) from error


def logged() -> str:
    """Write the current exception to the log; the id to find it by."""
    log_id = secrets.token_hex(4)
    logger.exception("unexpected error %s", log_id)
    return log_id
