"""Times the benchmark page on made-up runs. From the repository's root:

    python -m benchmarks.benchmark_tab [--runs 50] [--rows 200000] [--no-browser]

Its runs are made in a temporary folder and read from there, as the page reads its own. First the
page's Python alone; then `app.py` and a real Chromium, from the click to the charts painted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaclip.runs import Run, list_runs, read_run
from adaclip.runs.compare import compare
from adaclip.runs.scores import ScoreBook
from benchmarks import benchmark_browser
from demo.benchmark import figures
from demo.benchmark import results_html as pages
from demo.benchmark import table as tables
from demo.benchmark.select import Known, Selection, images_page
from demo.benchmark.spokes import spokes
from tests.demo import benches

CLASSES = 15


def made_run(root: Path, number: int, rows: int) -> Path:
    """A run's folder: 15 classes over overlapping scores."""
    generator = np.random.default_rng(number)
    each = max(rows // CLASSES, 4)
    dataset = ("mvtec", "visa", "headct", "synthetic")[number % 4]
    table = pd.concat(
        [
            benches.image_rows(
                dataset,
                f"class_{place:02d}",
                generator.normal(-1, 1.3, each // 2),
                generator.normal(1, 1.3, each - each // 2),
            )
            for place in range(CLASSES)
        ],
        ignore_index=True,
    )
    run = benches.run_of(table, f"run-{number:02d}", f"checkpoint-{number % 6}", dataset=dataset)
    return benches.written(run, root)


def seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """The mean wall time of a piece of work."""
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--no-browser", action="store_true", help="the page's Python only")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        for number in range(wanted.runs):
            made_run(runs, number, wanted.rows // wanted.runs)
        large = read_run(made_run(Path(folder) / "large", 0, wanted.rows))
        measure(runs, large, wanted.runs)
        if not wanted.no_browser:
            large.folder.rename(runs / "all-rows")
            benchmark_browser.measure(runs, Path(folder), "run-00", "all-rows")


def measure(root: Path, large: Run, count: int) -> None:
    """Prints the times of everything below `root`, then of one large run."""
    cards, published, book = benches.cards(), benches.published(), ScoreBook(runs=count)
    runs: list[Run] = []
    listing = seconds(lambda: runs.extend(list_runs([root])[0]))
    rows = sum(len(run.images()) for run in runs)
    print(f"{len(runs)} runs, {rows:,} rows")
    print(f"listing the runs:        {listing:6.3f} s")

    def draw(selection: Selection, threshold: float) -> None:
        scores = book.scores(runs[0], selection.class_name)
        for name in ("histogram", "roc", "precision_recall", "confusion"):
            figures.threshold_json(name, scores, threshold)
        images_page(selection, scores, threshold)

    def opening() -> None:
        known = Known.of(runs, cards, published)
        table = tables.overview(published, runs, cards)
        pages.table_html(table, known.default())
        columns = [table.columns[at] for at in figures.chosen_columns(table)]
        round_ = spokes(published, cards, "auroc", table, columns)
        for figure in (
            figures.bars(table),
            figures.heatmap(runs[0]),
            figures.radar(round_, columns),
            figures.tradeoff(runs),
        ):
            figure.to_json()
        draw(known.default(), 0.5)

    selection = Selection(run=runs[0].id, outcome="wrong")
    print(f"opening, first:          {seconds(opening):6.3f} s")
    print(f"opening, again:          {seconds(opening):6.3f} s")
    print(f"threshold move, one run: {seconds(lambda: draw(selection, 0.61), 10):6.3f} s")
    every = seconds(lambda: [book.scores(run) for run in runs])
    print(f"reading every run:       {every:6.3f} s")
    frames = book.frame(runs[0]), book.frame(runs[4])
    print(f"comparing two runs:      {seconds(lambda: compare(runs[0], runs[4], *frames)):6.3f} s")

    book.forget(large.id)
    sorting = seconds(lambda: book.scores(large))
    runs[0] = large
    print(f"one run of all rows, read and sorted: {sorting:6.3f} s")
    draw(Selection(run=large.id), 0.5)
    moved = seconds(lambda: draw(Selection(run=large.id), 0.61), 5)
    print(f"threshold move on it, all images:     {moved:6.3f} s")


if __name__ == "__main__":
    main()
