"""The seam to the browser: each `data-*` name is written on one side and read on the other."""

from __future__ import annotations

import re
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "demo"
# Read by Gradio's or Plotly's own markup, not by ours.
FOREIGN = {"data-testid"}


def text_of(*patterns: str) -> str:
    files = sorted(file for pattern in patterns for file in DEMO.glob(pattern))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def dashed(name: str) -> str:
    return "data-" + re.sub(r"([A-Z])", lambda found: "-" + found[1].lower(), name)


def in_markup(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])data-[a-z][a-z-]*[a-z]|(?<![\w-])data-[a-z](?![\w-])", text))


def read_in_scripts(text: str) -> set[str]:
    """Names that scripts ask for: in selectors, as `dataset.name`, destructured from a dataset."""
    found = in_markup(text) | {dashed(n) for n in re.findall(r"dataset\??\.([a-zA-Z]+)", text)}
    for names in re.findall(r"\{([^{}]*)\} = [^;\n]*dataset;", text):
        found |= {
            dashed(name) for name in re.findall(r"(\w+)(?::[^,]*|\s*=[^,]*)?\s*(?:,|$)", names)
        }
    for alias in re.findall(r"(\w+) = [^;\n{}]*dataset;", text):
        found |= {dashed(name) for name in re.findall(rf"\b{alias}\.([a-zA-Z]+)", text)}
    return found


def written_in_scripts(text: str) -> set[str]:
    names = re.findall(r"dataset\.([a-zA-Z]+)\s*(?:\?\?)?=(?!=)", text)
    return {dashed(name) for name in names} | in_markup(
        " ".join(re.findall(r"setAttribute\(\"(data-[a-z-]+)\"", text))
    )


# Scripts in files, and the few lines that stand beside their component in Python.
PYTHON, SCRIPTS = text_of("**/*.py", "templates/*.html"), text_of("assets/*.js")
INLINE = "\n".join(re.findall(r'= (?:r|f)?"""(.*?)"""', PYTHON, flags=re.S))
STYLES = text_of("assets/*.css")


def test_what_python_writes_is_read_by_a_script_or_a_style() -> None:
    read = read_in_scripts(SCRIPTS + INLINE) | in_markup(STYLES)
    assert sorted(in_markup(PYTHON) - read - FOREIGN) == []


def test_what_scripts_read_is_written() -> None:
    written = in_markup(PYTHON) | written_in_scripts(SCRIPTS + INLINE)
    assert sorted(read_in_scripts(SCRIPTS) - written - FOREIGN) == []
