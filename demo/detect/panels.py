"""The page's fixed pieces as HTML: header, drop zone, examples, checkpoint card, help."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from PIL import Image

import adaclip
from adaclip.data.registry import dataset_name, datasets_with_class
from adaclip.model.sentences import sentences
from adaclip.types import CheckpointInfo
from demo.flag import words as flag_words
from demo.page import messages
from demo.page.icons import icon
from demo.page.templates import render
from demo.services import Example
from demo.visitor.pictures import thumbnail

esc = html.escape
_CODE = re.compile("`([^`]+)`")
ACCEPTED = (
    ".png,.jpg,.jpeg,.bmp,.tif,.tiff,.webp,.avif,.jp2,.heic,.jxl,.dcm,"
    "image/png,image/jpeg,image/bmp,image/tiff,image/webp"
)

LOGO = (
    '<svg class="logo" viewBox="0 0 32 32" aria-hidden="true">'
    '<rect x="2" y="2" width="28" height="28" rx="7" fill="var(--accent)"/>'
    '<g fill="#fff">'
    + "".join(
        f'<circle cx="{8 + 5.33 * x:.1f}" cy="{8 + 5.33 * y:.1f}" r="1.5" opacity=".75"/>'
        for y in range(4)
        for x in range(4)
        if (x, y) != (2, 1)
    )
    + '</g><circle cx="18.7" cy="13.3" r="3.6" fill="none" stroke="#fff" stroke-width="2"/></svg>'
)


def header() -> str:
    """Name, what it is for, and the two things a visitor may look for: help and the lights."""
    return (
        f'<header class="top">{LOGO}<div><h1>{messages.TITLE}</h1><p>{messages.TAGLINE}</p></div>'
        '<nav><button type="button" class="round" data-act="theme" aria-label="Light or dark">'
        f'{icon("sun")}</button><button type="button" class="round" data-act="help" '
        'aria-label="Keys and help">?</button></nav></header>'
    )


def help_overlay() -> str:
    """The keys; shown by `?`, hidden by Escape or a click beside it."""
    rows = "".join(
        "<dt>" + "".join(f"<kbd>{k}</kbd>" for k in keys.split()) + f"</dt><dd>{esc(what)}</dd>"
        for keys, what in (*messages.KEYS, *flag_words.KEYS)
    )
    return (
        '<div id="help" class="overlay" hidden role="dialog" aria-modal="true" aria-label="Keys">'
        f'<div class="card"><h2>Keys</h2><dl>{rows}</dl>'
        f'<p class="hint">{messages.NOT_CALIBRATED}</p>'
        '<button type="button" data-act="help">Close</button></div></div>'
    )


def footer() -> str:
    """Version, origin, what the numbers are not."""
    return (
        f'<footer class="foot">{messages.TITLE} {esc(adaclip.__version__)} · AdaCLIP, ECCV 2024 · '
        f"{messages.NOT_CALIBRATED}</footer>"
    )


def device_status(state: str, device: str, title: str, failure: str = "") -> str:
    """A dot with a word: what the machine is doing for the chosen checkpoint, or why it cannot."""
    words = {
        "ready": f"Ready · {device}",
        "loading": f"Loading {title}…",
        "failed": messages.not_loaded(title, failure),
        "absent": f"{title} is not on this machine",
        "idle": f"{title} loads on first use · {device}",
    }
    text = esc(words.get(state, state).removesuffix(" · "))
    return f'<div class="device {esc(state)}" role="status"><i></i>{text}</div>'


def drop_zone() -> str:
    """Drop, click, paste, camera; its behaviour is in assets/dropzone.js."""
    return (
        '<div class="drop"><label class="drop-face" tabindex="0">'
        f'<input type="file" multiple accept="{ACCEPTED}" aria-label="Pictures to look at">'
        f"{icon('picture')}<b>Drop pictures here</b>"
        '<span>or click, or paste<span class="drop-kinds">PNG, JPEG, BMP, TIFF, WebP</span></span>'
        '<span class="drop-note" aria-live="polite"></span></label>'
        f'<button type="button" class="camera">{icon("camera")}Camera</button>'
        '<div class="camera-view" hidden><video playsinline muted></video>'
        '<button type="button" class="shoot">Take picture</button></div></div>'
    )


def example_strip(examples: Sequence[Example]) -> str:
    """One button per bundled picture."""
    buttons = []
    for index, example in enumerate(examples):
        with Image.open(example.path) as file:
            picture = thumbnail(file.convert("RGB"))
        caption = esc(example.caption)
        buttons.append(
            f'<button type="button" data-example="{index}" title="{caption}">'
            f'<img src="{picture}" alt="Example: {caption}"></button>'
        )
    return (
        '<div class="examples"><p class="label">Or try one</p>'
        f'<div class="example-grid">{"".join(buttons)}</div></div>'
    )


def hero() -> str:
    """The empty stage: what to do, in three steps, and what comes of it."""
    steps = "".join(
        f"<li><b>{esc(step)}</b><span>{esc(how)}</span></li>" for step, how in messages.HERO_STEPS
    )
    return f'<div class="hero">{_drawing()}<h2>{messages.HERO_TITLE}</h2><ol>{steps}</ol></div>'


def _drawing() -> str:
    """A woven tile with a cut in it, and the same tile seen by the model."""
    dots = "".join(
        f'<rect x="{8 + 13 * x}" y="{8 + 13 * y}" width="9" height="9" rx="2.5"/>'
        for x in range(9)
        for y in range(9)
    )
    cut = '<path d="M34 88C48 74 62 70 84 48" class="cut"/>'
    return (
        '<svg class="drawing" viewBox="0 0 290 128" role="img" '
        'aria-label="A woven tile with a cut, and its anomaly map">'
        '<defs><radialGradient id="heat"><stop offset="0" stop-color="#fcffa4"/>'
        '<stop offset=".25" stop-color="#fb9b06"/><stop offset=".55" stop-color="#bb3754"/>'
        '<stop offset="1" stop-color="#57106e" stop-opacity="0"/></radialGradient></defs>'
        f'<g><rect width="128" height="128" rx="12" class="tile"/>'
        f'<g class="weave">{dots}</g>{cut}</g>'
        f'<g transform="translate(162)"><rect width="128" height="128" rx="12" class="tile"/>'
        f'<g class="weave">{dots}</g><ellipse cx="59" cy="68" rx="44" ry="20" '
        'transform="rotate(-39 59 68)" fill="url(#heat)"/></g>'
        '<path d="M138 64h14m-5-5 5 5-5 5" class="arrow"/></svg>'
    )


def checkpoint_card(
    info: CheckpointInfo, class_name: str, problem: str = "", *, words: str = ""
) -> str:
    """What the chosen checkpoint learned from; a leak, how to get it, why it could not be got.

    `words` fill the sentences the model is asked with; `class_name` is looked for in datasets.
    """
    facts = f"<p><span>Trained on</span>{esc(trained_on(info))}</p>"
    size = "" if not info.size_bytes else f" · {info.size_bytes / 1e6:.0f} MB"
    facts += f"<p><span>Model</span>{esc(info.backbone)}{size}</p>"
    if info.licence:
        facts += f"<p><span>Licence</span>{esc(info.licence)}</p>"
    parts = [f'<div class="facts-card">{facts}</div>']
    if words:
        listed = "<br>".join(esc(sentence) for sentence in sentences(words))
        summary = esc(messages.sentences_for(words))
        parts.append(f"<details><summary>{summary}</summary><p>{listed}</p></details>")
    leaks = leaking(info, class_name)
    if leaks:
        names = " and ".join(dataset_name(key) for key in leaks)
        parts.append(_notice("warning", esc(messages.leak(names))))
    elif info.details.get("note"):
        parts.append(_notice("note", esc(str(info.details["note"]))))
    if problem:
        parts.append(_notice("warning", _with_details(problem)))
    elif not info.present:
        parts.append(_notice("note", _with_details(messages.missing_checkpoint(info.how_to_get))))
    return "".join(parts)


def _notice(kind: str, inner: str) -> str:
    warn = " warn" if kind == "warning" else ""
    return f'<div class="notice{warn}">{icon(kind)}<div>{inner}</div></div>'


def _with_details(text: str) -> str:
    """What to do; how to do it by hand is folded away. `code` between backquotes."""
    short, found, by_hand = text.partition("By hand:")
    inner = _CODE.sub(r"<code>\1</code>", esc(short.strip()))
    if found:
        inner += f"<details><summary>By hand</summary>{esc(by_hand.strip())}</details>"
    return inner


def trained_on(info: CheckpointInfo) -> str:
    """Dataset names, as people know them."""
    names = [
        "synthetic anomalies" if key == "synthetic" else dataset_name(key)
        for key in info.trained_on
    ]
    if len(names) > 4:
        return f"{len(names)} datasets: {', '.join(names)}"
    return ", ".join(names) or "not recorded"


def leaking(info: CheckpointInfo, class_name: str) -> tuple[str, ...]:
    """Datasets of this object that the checkpoint was trained on."""
    return tuple(key for key in datasets_with_class(class_name) if key in info.trained_on)


def small_note(text: str) -> str:
    """A quiet line."""
    return f'<p class="hint">{esc(text)}</p>'


def error_panel(text: str) -> str:
    """In place of a picture that cannot be shown: what is wrong with it."""
    return render("problem", title="This picture cannot be read", text=text)


def fetch_progress(text: str, share: float | None) -> str:
    """A bar for weights on their way; without a share it only moves."""
    width = f"{100 * share:.1f}%" if share is not None else "100%"
    busy = "" if share is not None else " busy"
    return (
        f'<div class="progress on{busy}" role="progressbar"><i style="width:{width}"></i>'
        f"<span>{esc(text)}</span></div>"
    )
