"""Commands that are jobs of a service: asked for, followed to their end, and their results fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from autokd.cli.budget import BudgetOptions
from autokd.cli.console import fail, note, out, print_json
from autokd.cli.distill import SettingOptions, show
from autokd.cli.options import RunOptions
from autokd.cli.progress import watching
from autokd.cli.remote_arguments import Asked
from autokd.cli.remote_reading import read
from autokd.core.job import JobState
from autokd.errors import PlanError

if TYPE_CHECKING:
    from autokd.client import Client, Job

_COMPUTING: Final = frozenset(field.name for field in fields(RunOptions))
_ACTIVE: Final = tuple(state.value for state in JobState if not state.is_over)


def tune(client: Client, asked: Asked) -> int:
    """Let the service search pairs, and print what it has found."""
    values = asked.values
    budget = BudgetOptions(**{name: values[name] for name in ("time", "epochs", "share_of_sweep")}).limits()
    limits = {name: value for name, value in budget.items() if value is not None}
    listed = [text for name in ("pair", "pairs") if (text := values[name])] + list(values["more"] or ())
    request = {
        "pairs": "all" if values["every"] else listed or None,
        "teachers": values["teachers"],
        "all_students": values["all_students"] or None,
        "trials": values["trials"],
        "try": list(values["asked"] or ()) or None,
        "budget": limits or None,
        **{name: values[name] for name in ("teacher", "student")},
        **{name: getattr(values[name], "value", None) for name in ("effort", "position")},
    }
    return _done(client, asked, request)


def explain(client: Client, asked: Asked) -> int:
    """Let the service run the alternatives of a pair, and print how they compare."""
    return _done(client, asked, {name: asked.values[name] for name in ("pair", "student", "teachers")})


def _done(client: Client, asked: Asked, request: Mapping[str, Any]) -> int:
    """Follow a job to its end; then the service prints what the command does, without a run."""
    here = asked.typed.keys() & (_COMPUTING | {"log", "dry_run", "confirm_above"})
    if here:
        raise PlanError.of_option(
            asked.typed[min(here)], "is for runs of this machine; leave it out with --server"
        )
    job, code = _followed(client, asked, request)
    return code if code else read(client, asked, ran=bool((job.progress or {}).get("done")))


def distill(client: Client, asked: Asked) -> int:
    """Let the service train the student, and fetch its weights and card."""
    from autokd.config.target import read_target
    from autokd.delivery.files import Files

    values, path = asked.values, Path(asked.values["path"])
    Files(path).check(force=values["force"])
    setting = SettingOptions(**{field.name: values[field.name] for field in fields(SettingOptions)}).setting()
    request = {
        **{name: values[name] for name in ("pair", "student", "teachers", "seed")},
        "force": values["force"] or None,
        "target": read_target(values["for_"], option="--for"),
        "setting": None if setting is None else setting.to_json(),
    }
    job, code = _followed(client, asked, request)
    if code:
        return code
    job.download(path)
    card = json.loads(path.with_suffix(".json").read_text("utf-8"))
    if values["json"]:
        print_json(card)
    else:
        show(card, path)
    return 0


def _followed(client: Client, asked: Asked, request: Mapping[str, Any]) -> tuple[Job, int]:
    """Ask for a job, or find the same one at work, and follow it to its end; return it with an exit code."""
    fields = {name: value for name, value in {"space": asked.space, **request}.items() if value is not None}
    job = _at_work(client, asked, fields) or client.submit(asked.command, asked.study, **fields)
    note(f"job {job.id} of {client.connection.url}")
    try:
        with watching() as shown:
            for event in job.events():
                if event.what == "progress":
                    shown.on_job(str(event.data.get("stage", asked.command)), event.data)
    except KeyboardInterrupt:
        note(
            f"job {job.id} goes on there, and the same command follows it; autokd stop with --server ends it"
        )
        return job, 130
    job.refresh()
    if job.state is JobState.SUCCEEDED:
        return job, 0
    if job.state is JobState.CANCELLED:
        note(f"job {job.id} was cancelled; what was found is kept")
        return job, 130
    fail(job.reason or f"job {job.id} has failed")
    return job, 1


def _at_work(client: Client, asked: Asked, fields: Mapping[str, Any]) -> Job | None:
    """Return the job of an equal request that is not over."""
    wanted = {"what": asked.command, "study": asked.study, **fields}
    active = client.jobs(study=asked.study, states=_ACTIVE)
    return next((job for job in active if job.content["request"] == wanted), None)


def stop(client: Client, asked: Asked) -> int:
    """Cancel the jobs of a study."""
    for name in asked.typed.keys() - {"study", "space", "json", "no_wait"}:
        raise PlanError.of_option(asked.typed[name], "is not for a service: all jobs of the study are ended")
    jobs = client.jobs(study=asked.study, states=_ACTIVE)
    for job in jobs:
        job.cancel()
        if not asked.values["no_wait"]:
            job.wait()
    if asked.values["json"]:
        print_json({"jobs": [dict(job.content) for job in jobs]})
    for job in () if asked.values["json"] else jobs:
        out.print(f"job {job.id}, {job.content['what']}: {job.state}")
    if not jobs and not asked.values["json"]:
        out.print(f"the service has no job at work for study {asked.study}", soft_wrap=True)
    return 0
