"""HTML from the files in demo/templates: whatever is filled in is escaped, unless it is Markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from demo.page.icons import icon

_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).resolve().parents[1] / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,  # a misspelt name is an error, not a gap
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals["icon"] = lambda name: Markup(icon(name))


def render(name: str, /, **values: Any) -> Markup:
    """The template demo/templates/`name`.html with `values`. Text is escaped; Markup is HTML."""
    return Markup(_environment.get_template(f"{name}.html").render(**values))
