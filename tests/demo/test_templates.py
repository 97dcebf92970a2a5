"""Templates escape what is filled in, and refuse a name they do not know."""

from __future__ import annotations

import jinja2
import pytest
from markupsafe import Markup

from demo.page.templates import render


def test_text_is_escaped_and_markup_is_not() -> None:
    page = render("problem", title=Markup("<b>bold</b>"), text='<img src=x onerror="x()">')
    assert "<h2><b>bold</b></h2>" in page
    assert "&lt;img src=x onerror=&#34;x()&#34;&gt;" in page
    assert "<img" not in page


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("problem", title="only a title")
