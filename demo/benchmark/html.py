"""What a run is, as HTML."""

from __future__ import annotations

from adaclip.runs.scores import RunLike
from demo.benchmark.cells import run_facts
from demo.page.templates import render


def facts_html(run: RunLike) -> str:
    """What a run is: checkpoint, date, device, protocol, the command that repeats it."""
    return render("benchmark_facts", facts=run_facts(run))
