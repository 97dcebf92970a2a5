"""The real services behind the page. Importing this loads no torch: the pool does, when asked."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import adaclip
from adaclip.annotations.pictures import remember_roots
from adaclip.annotations.store import AnnotationStore
from adaclip.checkpoints import hub
from adaclip.checkpoints.catalogue import catalogue, weights_home
from adaclip.config import DetectConfig
from adaclip.detecting.pool import DetectorPool
from adaclip.errors import AdaClipError
from adaclip.storage.folders import annotations_home, runs_home
from demo.batch import ResultStore
from demo.services import Services

logger = logging.getLogger("adaclip.app")
BUNDLED_RUNS = Path(adaclip.__file__).parents[1] / "datasets_meta" / "runs"


def services_for(flags: argparse.Namespace, folder: Path) -> tuple[Services, tuple[Path, ...]]:
    """The services, and the folders that must never be served."""
    defaults = DetectConfig(
        checkpoint=flags.checkpoint, device=flags.device, precision=flags.precision
    )
    runs, annotations = flags.runs or runs_home(), flags.annotations or annotations_home()
    services = Services(
        pool=DetectorPool(device=flags.device, precision=flags.precision),
        store=ResultStore(folder),
        catalogue=catalogue,
        fetch=hub.fetch,
        defaults=defaults,
        run_roots=(runs, BUNDLED_RUNS),
        data_roots=tuple(flags.data_root),
        annotations=_annotations(annotations, flags.data_root),
    )
    services.checkpoint(flags.checkpoint)  # an unknown id is refused now, not on the first click
    return services, (weights_home(), runs, annotations, *services.data_roots)


def _annotations(folder: Path, data_roots: Sequence[Path]) -> AnnotationStore | None:
    """The store, its file not yet read; without one the page still detects."""
    try:
        store = AnnotationStore(folder, read=False)
        remember_roots(store, data_roots)
        return store
    except AdaClipError as error:
        logger.warning("annotations cannot be kept: %s", error)
        return None
