"""The page that measures: start, watch, stop, go on; bring a run along."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr

from adaclip.errors import AdaClipError, InputError
from demo.benchmark.actions import BenchmarkActions
from demo.benchmark.screens import Screen
from demo.benchmark.view import act
from demo.page import messages
from demo.page.icons import icon
from demo.runs import files as benchmark_files
from demo.runs.jobs import GOING, Job, JobBoard, describe
from demo.runs.library import Library
from demo.services import Services

esc = html.escape
_STATES = {
    "waiting": "waits for its turn",
    "loading": "gets ready",
    "running": "",
    "done": "done",
    "stopped": "stopped; what is done is kept",
    "failed": "failed",
}


class MeasureActions:
    """One per page; the jobs are the server's, not a visitor's."""

    def __init__(
        self, services: Services, library: Library, actions: BenchmarkActions, board: JobBoard
    ) -> None:
        self._services, self._library = services, library
        self._actions, self._board = actions, board

    def start(self, key: str, source: Any, checkpoint: Any, limit: Any, keep_maps: Any) -> Screen:
        """Measure a checkpoint on a dataset of the list."""
        if limit is not None and (not isinstance(limit, int | float) or not 0 <= limit <= 1e6):
            raise InputError("Pictures per object: give a whole number, or 0 for all.")
        self._board.start(str(source), str(checkpoint), int(limit or 0) or None, keep_maps is True)
        return self.watch(key)

    def steer(self, key: str, data: Any) -> Screen:
        """Stop a job, or go on with a run that was stopped."""
        asked = data if isinstance(data, dict) else {}
        if "resume" in asked:
            unfinished = {run.id: run for run in self._library.unfinished()}
            run = unfinished.get(str(asked["resume"]))
            if run is None:
                raise InputError(messages.UNKNOWN_VALUE)
            self._board.resume(run)
        else:
            self._board.cancel(asked.get("job"))
        return self.watch(key)

    def seen(self, key: str) -> Screen:
        """For a visitor who looks at this page; nothing for others."""
        _, desk = self._actions.desk_of(key)
        return self.watch(key) if desk.view == "measure" else {}

    def watch(self, key: str) -> Screen:
        """How far everything is; with a run that has just been finished, the tables too."""
        key, desk = self._actions.desk_of(key)
        jobs = self._board.jobs
        finished = sum(job.state == "done" for job in jobs)
        screen: Screen = {}
        if finished != desk.measured:
            desk.measured = finished
            screen = self._actions.refresh(key)
        return {
            **screen,
            "key": key,
            "jobs": jobs_html(jobs, self._unfinished(jobs)),
            "timer": gr.Timer(active=self._board.going),
        }

    def described(self, source: Any) -> Screen:
        """What the chosen dataset holds, or why it is none."""
        try:
            said, kind = esc(describe(self._services, source)), "hint"
        except AdaClipError as error:
            said, kind = esc(str(error)), "notice warn"
        return {"data_said": f'<p class="{kind}">{said}</p>' + self._no_roots()}

    def imported(self, key: str, upload: Any) -> Screen:
        """A run from a file; it is opened."""
        run = benchmark_files.imported(self._services, upload)
        screen = self._actions.refresh(key)
        said = f"{run.results.title} is among the runs now."
        if not run.complete:
            said = f"{run.results.title} is not finished: its values are missing."
        link = f'<button {act({"run": run.id})} class="quiet">Show it</button>'
        shown = f'<p class="notice">{icon("note")}{esc(said)} {link}</p>'
        return {**screen, "upload_said": shown, "jobs": self._jobs()}

    def _jobs(self) -> str:
        jobs = self._board.jobs
        return jobs_html(jobs, self._unfinished(jobs))

    def _unfinished(self, jobs: Sequence[Job]) -> list[Any]:
        """Runs to go on with: not those that are going on."""
        busy = {job.folder for job in jobs if job.state in GOING}
        return [run for run in self._library.unfinished() if run.folder not in busy]

    def _no_roots(self) -> str:
        if self._services.data_roots:
            return ""
        return (
            '<p class="hint">To measure on your own pictures, start the page with '
            "<code>--data-root DIR</code>.</p>"
        )


def jobs_html(jobs: Sequence[Job], unfinished: Sequence[Any]) -> str:
    """Jobs, the latest first, then runs that can be gone on with."""
    resumable = {run.folder for run in unfinished}
    items = "".join(_job(job) for job in jobs if job.folder not in resumable)
    items += "".join(_left(run, jobs) for run in unfinished)
    if not items:
        return '<p class="hint">Nothing is being measured, and nothing was left unfinished.</p>'
    return f'<ul class="jobs">{items}</ul>'


def _job(job: Job) -> str:
    share = 100 * job.done / job.total if job.total else 0
    said = job.message if job.state == "failed" else _STATES[job.state]
    if job.state == "running":
        said = messages.progress(job.done, job.total, job.seconds_left)
        if job.total and job.done == job.total:
            said = "computes the values"
    button = ""
    if job.state in GOING:
        said = "stops after this batch" if job.stop.is_set() else said
        button = f'<button type="button" data-act="bench" data-job="{job.id}">Cancel</button>'
    elif job.state == "done":
        button = f"<button {act({'run': job.run_id})}>Show</button>"
    bar = f'<div class="meter"><i style="width:{share:.1f}%"></i></div>' * (job.state in GOING)
    return (
        f'<li class="{job.state}"><p><b>{esc(job.title)}</b> <span>{esc(said)}</span></p>'
        f"{button}{bar}</li>"
    )


def _left(run: Any, jobs: Sequence[Job]) -> str:
    why = next((job.message for job in jobs if job.folder == run.folder and job.message), "")
    said = f"failed: {why}" if why else "was stopped before it was done"
    return (
        f'<li class="left"><p><b>{esc(run.results.title)}</b> <span>{esc(said)}</span></p>'
        f'<button type="button" data-act="bench" data-resume="{esc(run.id)}">Resume</button></li>'
    )
