"""The real services behind the page. Importing this loads no torch: the pool does, when asked."""

from __future__ import annotations

import argparse
from pathlib import Path

from adaclip.config import DetectConfig
from adaclip.engine.pool import DetectorPool
from adaclip.stores import hub
from adaclip.stores.weights import catalogue, weights_home
from demo.results import ResultStore
from demo.services import Services


def services_for(flags: argparse.Namespace, folder: Path) -> tuple[Services, Path]:
    """The services, and the weights folder, which must never be served."""
    defaults = DetectConfig(
        checkpoint=flags.checkpoint, device=flags.device, precision=flags.precision
    )
    services = Services(
        pool=DetectorPool(device=flags.device, precision=flags.precision),
        store=ResultStore(folder),
        catalogue=catalogue,
        fetch=hub.fetch,
        defaults=defaults,
    )
    services.checkpoint(flags.checkpoint)  # an unknown id is refused now, not on the first click
    return services, weights_home()
