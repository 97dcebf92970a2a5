"""Small drawings, inline: nothing to fetch. Shapes tell the verdicts apart without colour."""

from __future__ import annotations


def _svg(body: str, *, stroke: bool = True) -> str:
    paint = (
        'fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" '
        'stroke-linejoin="round"'
        if stroke
        else 'fill="currentColor"'
    )
    return f'<svg viewBox="0 0 20 20" aria-hidden="true" {paint}>{body}</svg>'


ICONS = {
    # A circle with a tick, a triangle and an octagon with a "!".
    "normal": _svg('<circle cx="10" cy="10" r="7.5"/><path d="M6.8 10.3l2.2 2.2 4.3-4.6"/>'),
    "review": _svg('<path d="M10 2.8 18 16.8H2z"/><path d="M10 8v4M10 14.4v.1"/>'),
    "anomalous": _svg(
        '<path d="M6.9 2.5h6.2l4.4 4.4v6.2l-4.4 4.4H6.9l-4.4-4.4V6.9z"/>'
        '<path d="M10 6.2v4.6M10 13.6v.1"/>'
    ),
    "failed": _svg('<path d="M5 5l10 10M15 5 5 15"/>'),
    "busy": _svg('<path d="M10 2.5a7.5 7.5 0 1 1-7.5 7.5"/>'),
    "idle": _svg('<circle cx="10" cy="10" r="7.5" stroke-dasharray="2.2 2.8"/>'),
    "note": _svg('<circle cx="10" cy="10" r="7.5"/><path d="M10 9v4.5M10 6.2v.1"/>'),
    "sort": _svg(
        '<path class="up" d="M6.5 8 10 4.5 13.5 8"/>'
        '<path class="down" d="M6.5 12l3.5 3.5 3.5-3.5"/>'
    ),
    "picture": _svg(
        '<rect x="2.5" y="3.5" width="15" height="13" rx="2"/>'
        '<circle cx="7" cy="8" r="1.4"/><path d="m3 14.5 4-4 3 3 3.5-3.5 4 4"/>'
    ),
    "camera": _svg(
        '<path d="M3 6.5h3l1.3-2h5.4l1.3 2h3v9.5H3z"/><circle cx="10" cy="11" r="2.8"/>'
    ),
    "sun": _svg(
        '<circle cx="10" cy="10" r="3.4"/><path d="M10 2v1.8M10 16.2V18M2 10h1.8M16.2 10H18'
        'M4.3 4.3l1.3 1.3M14.4 14.4l1.3 1.3M4.3 15.7l1.3-1.3M14.4 5.6l1.3-1.3"/>'
    ),
    "flag": _svg('<path d="M5 17.5v-15M5 3.5h9.5l-2 3.5 2 3.5H5"/>'),
    "brush": _svg('<path d="M17 3 9.5 10.5M8.5 9.5l2 2c-.5 3-2.5 5-7 5.5 1.5-1.5 1-4 2-5.5z"/>'),
    "eraser": _svg('<path d="M12 3.5 17 8.5 9 16.5H6L3 13.5zM7.5 8l5 5M9 16.5h8"/>'),
    "undo": _svg('<path d="M7 3.5 3.5 7 7 10.5M3.5 7H12a4.5 4.5 0 0 1 0 9H8"/>'),
    "redo": _svg('<path d="M13 3.5 16.5 7 13 10.5M16.5 7H8a4.5 4.5 0 0 0 0 9h4"/>'),
    "plus": _svg('<path d="M10 4v12M4 10h12"/>'),
    "minus": _svg('<path d="M4 10h12"/>'),
    "warning": _svg('<path d="M10 2.8 18 16.8H2z"/><path d="M10 8v4M10 14.4v.1"/>'),
}


def icon(name: str) -> str:
    """Inline SVG, as tall as the text."""
    return ICONS[name]
