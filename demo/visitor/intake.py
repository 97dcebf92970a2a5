"""What comes in from the browser, checked before it is used: files, names, requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adaclip.config import MAX_CLASS_NAME_LENGTH
from adaclip.data.images import load_image
from adaclip.data.registry import datasets, spoken
from adaclip.errors import AdaClipError, InputError
from adaclip.text import printable
from adaclip.types import CheckpointInfo
from demo.batch import MAX_FILES, Batch, Stopwatch
from demo.look import given_threshold
from demo.page import messages
from demo.services import Services
from demo.visitor.detect import detect
from demo.visitor.pictures import open_picture

# Thumbnails are made before a run for as many pictures as can be read in this time.
_PEEK_SECONDS = 1.0
_MAX_NAME = 120


def uploaded(files: Any, folder: Path) -> list[tuple[str, Path]]:
    """(name, path) of the files an upload event names. Raises InputError.

    Only regular files that Gradio stored under `folder` for an upload: `folder/HASH/NAME`.
    """
    if not isinstance(files, list) or not files:
        raise InputError(messages.NO_PICTURE)
    if len(files) > MAX_FILES:
        raise InputError(messages.too_many_files(len(files), MAX_FILES))
    return [_uploaded_file(entry, folder.resolve()) for entry in files]


def _uploaded_file(entry: Any, folder: Path) -> tuple[str, Path]:
    try:
        path = Path(str(entry["path"])).resolve()
        parts = path.relative_to(folder).parts
        is_upload = len(parts) == 2 and not parts[0].startswith("results-") and path.is_file()
        name = str(entry.get("name") or path.name)
    except (TypeError, KeyError, ValueError, AttributeError, OSError) as error:
        raise InputError(messages.NOT_UPLOADED) from error
    if not is_upload:
        raise InputError(messages.NOT_UPLOADED)
    return shown_name(name), path


def shown_name(name: str) -> str:
    """A file's own name on one line, without folders, shortened in the middle."""
    name = printable(name.replace("\\", "/").rsplit("/", 1)[-1]).strip() or "picture"
    half = _MAX_NAME // 2
    return name if len(name) <= _MAX_NAME else f"{name[:half]}…{name[-half:]}"


def checked_class_name(class_name: Any, default: str) -> str:
    """One line of words; the default when left empty. Raises InputError."""
    text = " ".join(printable(str(class_name or "")).split()) or default
    if len(text) > MAX_CLASS_NAME_LENGTH:
        raise InputError(messages.class_name_too_long(MAX_CLASS_NAME_LENGTH))
    return text


def present_checkpoint(services: Services, checkpoint_id: str) -> CheckpointInfo:
    """A listed checkpoint whose weights are on this machine. Raises InputError."""
    info = services.checkpoint(checkpoint_id)
    if not info.present:
        raise InputError(f"{info.title}: {messages.missing_checkpoint(info.how_to_get)}")
    return info


def suggestions() -> list[tuple[str, str]]:
    """(label, class name) of all published classes; those that say little get their dataset.

    None when the list cannot be read: free text is always possible.
    """
    try:
        known = datasets().values()
    except AdaClipError:
        return []
    pairs: dict[str, str] = {}
    for dataset in known:
        for name in dataset.class_names:
            words = spoken(name)
            telling = dataset.domain == "industrial" and not any(c.isdigit() for c in words)
            label = words if telling and len(words) > 3 else f"{dataset.name}: {words}"
            pairs.setdefault(words, label)
    return [("object", "object"), *((label, words) for words, label in pairs.items())]


def peek(batch: Batch) -> None:
    """Read the first pictures, so that what was dropped is seen at once; errors become rows."""
    watch = Stopwatch()
    for item in batch.items:
        try:
            open_picture(item, batch.folder)
        except AdaClipError as error:
            item.error = str(error)
        if watch.seconds > _PEEK_SECONDS:
            return


def detect_one(
    services: Services, image: Path, class_name: Any, checkpoint_id: str, threshold: Any
) -> dict[str, Any]:
    """The JSON answer of the `/detect` endpoint; a threshold given is used exactly as it is.

    Raises AdaClipError.
    """
    info = present_checkpoint(services, checkpoint_id)
    cut = info.threshold if threshold is None else given_threshold(threshold, info.threshold)
    words = checked_class_name(class_name, services.defaults.class_name)
    name = shown_name(image.name)
    pixels = load_image(image, name=name).pixels
    detection = detect(services, info, pixels, words)
    return {
        "image": name,
        "class_name": words,
        "anomaly_score": detection.anomaly_score,
        "verdict": cut.verdict(detection.anomaly_score).value,
        "threshold": cut.value,
        "threshold_source": cut.source,
        "checkpoint": info.id,
        "seconds": round(detection.seconds, 4),
    }


def api_image(image: Any, folder: Path) -> Path:
    """The uploaded file an API call names. Raises InputError."""
    if not image:
        raise InputError(messages.NO_PICTURE)
    if names_url(image):
        raise InputError(messages.NO_URLS)
    path = image.get("path") if isinstance(image, dict) else None
    [(_, checked)] = uploaded([{"path": path}], folder)
    return checked


def names_url(data: Any) -> bool:
    """True when the data of a request names a file by its web address, at any depth."""
    if isinstance(data, dict):
        path = data.get("path")
        return _is_url(path) or any(names_url(value) for value in data.values())
    return isinstance(data, list | tuple) and any(names_url(value) for value in data)


def _is_url(path: Any) -> bool:
    return isinstance(path, str) and path.strip().lower().startswith(("http:", "https:"))
