"""The catalogue of checkpoints: which there are, which are on this machine, how to get the rest.

Nothing is loaded and nothing is fetched here. Files lie directly in `weights_home()`. An id is
only ever compared with the ids of the catalogue, never joined to a path, so it cannot leave the
folder.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import threading
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from adaclip.checkpoints.ensembles import ensemble_of
from adaclip.checkpoints.metadata import METADATA_KEY, read_header, read_metadata
from adaclip.checkpoints.published import (
    BACKBONES,
    PUBLISHED,
    PUBLISHED_LICENCE,
    HubFile,
    backbone_sources,
)
from adaclip.config import ModelConfig
from adaclip.errors import CheckpointError
from adaclip.storage.atomic import recorded_sha256
from adaclip.storage.folders import expanded, folder_state
from adaclip.types import CheckpointInfo, Threshold

__all__ = [
    "by_hand",
    "catalogue",
    "downloads",
    "find",
    "find_backbone",
    "fingerprint",
    "is_here",
    "read_metadata",
    "weights_home",
]

DEFAULT_THRESHOLD = Threshold(
    value=0.5, source="default 0.5: the softmax's break-even, not calibrated"
)
DEFAULT_MAP_THRESHOLD = 0.5

_LITE = Path(__file__).resolve().parent.parent / "weights" / "lite.safetensors"
_SUFFIXES = (".safetensors", ".pth")
# Backbone named by the caller, None for most -> the state of the folders, and what was found.
_catalogue: dict[str | None, tuple[tuple[object, ...], list[CheckpointInfo]]] = {}
_catalogue_lock = threading.Lock()
_MOST_LISTS = 8


def weights_home() -> Path:
    """The folder weights are looked for in: $ADACLIP_HOME, else ~/.cache/adaclip."""
    return expanded(os.environ.get("ADACLIP_HOME") or "~/.cache/adaclip")


def catalogue() -> list[CheckpointInfo]:
    """Every known checkpoint, on this machine or not; a bad file never stops the list.

    `details` holds: `file`; `includes_backbone`; `backbone_path` (None while missing); `note`, to
    be shown to the user; `error`, for a file that cannot be used. The files are read again only
    when one of the folder's was added, removed or changed. For any thread.
    """
    return list(_cached_entries(None))


def find(
    checkpoint: str,
    *,
    backbone_weights: str | Path | None = None,
    allow_paths: bool = True,
) -> CheckpointInfo:
    """The checkpoint of that id, or the one in the file at that path, ready to be loaded.

    An id may join others with "+" (an ensemble). A path holds a separator or ends in .pth or
    .safetensors; pass `allow_paths=False` where the text comes from a stranger. With
    `backbone_weights` no other backbone is looked for. `find(find(x).id)` finds the same.

    Raises CheckpointError, which says what to do, when there is no such checkpoint, when its file
    cannot be used, or when something it needs is not on this machine.
    """
    if backbone_weights is not None and not os.path.isfile(backbone_weights):
        raise CheckpointError(f"no backbone weights at {backbone_weights}: check the path")
    info = _lookup(checkpoint, backbone_weights, allow_paths)
    if info.present:
        return info
    if "error" in info.details:
        raise CheckpointError(f"checkpoint {info.id!r} cannot be used: {info.details['error']}")
    raise CheckpointError(f"checkpoint {info.id!r} is not on this machine. {info.how_to_get}")


def fingerprint(info: CheckpointInfo) -> tuple[object, ...]:
    """Something that changes whenever a file the checkpoint is made of changes; for caches."""
    if info.members:
        return (info.id, *(fingerprint(_lookup(m, None, allow_paths=True)) for m in info.members))
    states: list[object] = [info.id]
    for path in (info.details.get("file"), info.details.get("backbone_path")):
        facts = os.stat(path) if path and os.path.isfile(path) else None
        states.append(facts and (str(path), facts.st_mtime_ns, facts.st_size))
    return tuple(states)


def find_backbone(name: str) -> Path | None:
    """A local file of open_clip weights for the backbone, or None; `fetch` stores the first name.

    `<name>px.pt` is what OpenAI calls the archive of ViT-L-14-336.
    """
    # The name may come from a checkpoint's metadata: it must not lead out of the folder.
    if not name or Path(name).name != name:
        return None
    endings = (".safetensors", ".bin", "px.pt", ".pt", ".pth")
    candidates = (weights_home() / f"{name}{ending}" for ending in endings)
    return next((path for path in candidates if os.path.isfile(path)), None)


def downloads(checkpoint_id: str) -> list[tuple[HubFile, ...]]:
    """What the hub has of the things this checkpoint needs: for each file, where it may be.

    Files already here are listed too, so that they can be checked; a backbone that lies here
    under another name than `fetch` gives it is not. Raises CheckpointError for an unknown id.
    """
    info = _lookup(checkpoint_id, None, allow_paths=False)
    parts = [downloads(member) for member in info.members] or [_needs(info)]
    return list(dict.fromkeys(files for part in parts for files in part))


def by_hand(files: Iterable[Sequence[HubFile]]) -> str:
    """One sentence: which files to put where without our help."""
    parts = []
    # The first source alone: naming them all would bury the one thing to do.
    for source, *_ in files:
        renamed = "" if source.path == source.local_name else f"{source.path} renamed; "
        serves = f", or {source.equivalent} as it is" if source.equivalent else ""
        parts.append(f"{source.local_name} ({renamed}from {source.repo}){serves}")
    return f"By hand: put into {weights_home()}, from the Hugging Face hub: {'; '.join(parts)}."


def is_here(files: Sequence[HubFile]) -> bool:
    """True when one of these alternatives lies in `weights_home()`."""
    return any(os.path.isfile(weights_home() / source.local_name) for source in files)


def _needs(info: CheckpointInfo) -> list[tuple[HubFile, ...]]:
    """What `downloads` lists for a single checkpoint."""
    files = [entry.sources for entry in PUBLISHED if entry.id == info.id]
    backbone = () if info.details["includes_backbone"] else backbone_sources(info.backbone)
    own = info.details["backbone_path"]
    if backbone and (own is None or Path(own).name in {source.local_name for source in backbone}):
        files.append(backbone)
    return files


def _how_to_get(identity: str, parts: Sequence[CheckpointInfo]) -> str:
    """What to do for a checkpoint made of these parts; the one place that says so."""
    lacking = [part for part in parts if not part.present]
    if errors := [part.details["error"] for part in lacking if "error" in part.details]:
        return f"{errors[0]}."
    if any(part.id == "lite" for part in lacking):
        return (
            f"It ships with the project as {_LITE}, and the file is missing there: "
            "install the project again, or take the file from its repository."
        )
    files = [files for part in lacking for files in _needs(part) if not is_here(files)]
    sentences = []
    # A file given by path has no id `fetch` would know.
    if files and os.sep not in identity:
        sentences.append(f"Run `python -m adaclip fetch {shlex.quote(identity)}`.")
    if files:
        sentences.append(by_hand(dict.fromkeys(files)))
    sentences += [
        f"Put open_clip's weights of the backbone {part.backbone!r} into {weights_home()} "
        f"as {part.backbone}.safetensors."
        for part in lacking
        if not part.details["backbone_path"] and not backbone_sources(part.backbone)
    ]
    return " ".join(sentences)


def _lookup(
    checkpoint: str, backbone_weights: str | Path | None, allow_paths: bool
) -> CheckpointInfo:
    """The entry of that id, the ensemble of those ids, or the file at that path."""
    entries = _cached_entries(backbone_weights)
    by_id = {entry.id: entry for entry in entries}
    if checkpoint in by_id:
        return by_id[checkpoint]
    is_path = "/" in checkpoint or os.sep in checkpoint or checkpoint.endswith(_SUFFIXES)
    if is_path and allow_paths:
        return _at_path(checkpoint, entries, backbone_weights)
    members = checkpoint.split("+")
    if len(members) > 1 and len(set(members)) == len(members) and set(members) <= set(by_id):
        return _ensemble([by_id[member] for member in members])
    also = "; the path of a .safetensors or .pth file works too" if allow_paths else ""
    raise CheckpointError(
        f"there is no checkpoint {checkpoint!r}; known: {', '.join(by_id)}; "
        f"different ones joined with + are averaged{also}"
    )


def _at_path(
    text: str, entries: Sequence[CheckpointInfo], backbone_weights: str | Path | None
) -> CheckpointInfo:
    """The file at that path, under its id where it lies in the catalogue."""
    path = expanded(text)
    if not os.path.isfile(path):
        raise CheckpointError(f"no checkpoint file at {text}: check the path")
    if path.suffix not in _SUFFIXES:
        raise CheckpointError(
            f"{text} is no checkpoint: its name has to end in {' or '.join(_SUFFIXES)}"
        )
    path = path.resolve()
    same = (entry for entry in entries if Path(entry.details["file"] or "").resolve() == path)
    return next(same, None) or _entry_of(path, str(path), backbone_weights)


def _cached_entries(backbone_weights: str | Path | None) -> list[CheckpointInfo]:
    """`_entries`, remembered until the listing of the folder is another one."""
    backbone = None if backbone_weights is None else str(backbone_weights)
    asked = (backbone, *folder_state(weights_home()), *folder_state(_LITE.parent))
    with _catalogue_lock:
        if _catalogue.get(backbone, (None, []))[0] != asked:
            while len(_catalogue) >= _MOST_LISTS:
                _catalogue.pop(next(iter(_catalogue)))
            _catalogue[backbone] = (asked, _entries(backbone_weights))
        return _catalogue[backbone][1]


def _entries(backbone_weights: str | Path | None) -> list[CheckpointInfo]:
    """`lite`, the published ones, an ensemble of two, then the other files of the folder."""
    home = weights_home()
    lite = _entry_of(_LITE, "lite", backbone_weights)
    published = [
        _entry_of(home / entry.file_name, entry.id, backbone_weights) for entry in PUBLISHED
    ]
    entries = [lite, *published, _ensemble(published[:2])]
    taken = {entry.id for entry in entries}
    others = []
    for path in _checkpoint_files(home):
        identity = _readable(path.stem)
        if identity in taken:
            identity = _readable(path.name)
        taken.add(identity)
        others.append(_entry_of(path, identity, backbone_weights))
    # Some checkpoint's backbone of the user's own is no checkpoint either.
    backbones = {entry.backbone for entry in others}
    return entries + [e for e in others if Path(e.details["file"]).stem not in backbones]


def _checkpoint_files(home: Path) -> list[Path]:
    """The folder's own files in name order, without published ones and backbones."""
    try:
        found = sorted(home.iterdir())
    except OSError:
        # No folder, or one that may not be listed: nothing in it that we could use.
        return []
    published = {entry.file_name for entry in PUBLISHED}
    return [
        path
        for path in found
        if path.suffix in _SUFFIXES
        and path.name not in published
        and path.stem not in BACKBONES
        and os.path.isfile(path)
        and not _is_backbone(path)
    ]


def _is_backbone(path: Path) -> bool:
    """True for open_clip weights under any name, as far as a header tells."""
    if path.suffix != ".safetensors":
        return False
    try:
        header = read_header(path)
    except CheckpointError:
        # The listing says what is wrong with it.
        return False
    return "visual.conv1.weight" in header and METADATA_KEY not in header.get("__metadata__", {})


def _entry_of(path: Path, identity: str, backbone_weights: str | Path | None) -> CheckpointInfo:
    """What a file says of itself; an authors' file is known by its name."""
    facts = CheckpointInfo(
        id=identity,
        title=_readable(path.stem),
        backbone=ModelConfig().backbone,
        trained_on=(),
        threshold=DEFAULT_THRESHOLD,
        map_threshold=DEFAULT_MAP_THRESHOLD,
        licence="unknown",
        details={"includes_backbone": False},
    )
    for entry in PUBLISHED:
        if path.name == entry.file_name:
            facts = dataclasses.replace(
                facts,
                title=entry.title,
                trained_on=entry.trained_on,
                licence=PUBLISHED_LICENCE,
                details=facts.details | {"note": entry.note},
            )
    if path == _LITE:
        facts = dataclasses.replace(facts, details={"includes_backbone": True})
    if os.path.isfile(path):
        facts = _read(facts, path)
    return _located(facts, path, backbone_weights)


def _read(facts: CheckpointInfo, path: Path) -> CheckpointInfo:
    """`facts` with those stored in the file, or with what is wrong with it."""
    if path.suffix != ".safetensors":
        # All torch has written since 1.6. Its content is checked when it is loaded.
        if zipfile.is_zipfile(path):
            return facts
        error = f"{path} is damaged or not a PyTorch file; get the file again"
        return dataclasses.replace(facts, details=facts.details | {"error": error})
    try:
        stored = read_metadata(path)
    except CheckpointError as problem:
        return dataclasses.replace(
            facts, details=facts.details | {"error": _readable(str(problem))}
        )
    return dataclasses.replace(
        facts,
        title=stored["title"],
        backbone=stored["model"].get("backbone", facts.backbone),
        trained_on=tuple(stored["trained_on"]),
        threshold=Threshold(**stored["threshold"]),
        map_threshold=float(stored["map_threshold"]),
        licence=stored["licence"],
        details=stored["details"] | {"includes_backbone": stored["includes_backbone"]},
    )


def _located(
    facts: CheckpointInfo, path: Path, backbone_weights: str | Path | None
) -> CheckpointInfo:
    """`facts` with where its files are, and what is to be done for those that are not here."""
    backbone: str | Path | None = None
    if not facts.details["includes_backbone"]:
        backbone = backbone_weights or find_backbone(facts.backbone)
    details = facts.details | {
        "file": str(path),
        "backbone_path": None if backbone is None else str(backbone),
    }
    facts = dataclasses.replace(facts, details=details)
    if os.path.isfile(path):
        facts = dataclasses.replace(
            facts, size_bytes=path.stat().st_size, sha256=recorded_sha256(path)
        )
        complete = facts.details["includes_backbone"] or backbone is not None
        if complete and "error" not in details:
            return dataclasses.replace(facts, path=path)
    return dataclasses.replace(facts, how_to_get=_how_to_get(facts.id, [facts]))


def _ensemble(members: Sequence[CheckpointInfo]) -> CheckpointInfo:
    """An ensemble's entry, with what is to be done for members that are not here."""
    info = ensemble_of(members)
    how = "" if info.present else _how_to_get(info.id, members)
    return dataclasses.replace(info, how_to_get=how)


def _readable(name: str) -> str:
    """A file name as text that can be printed: bytes that are not UTF-8 as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
