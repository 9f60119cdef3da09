"""What Optuna Dashboard shows of autokd's studies beside their names: pair, decision, and what matters.

The list of studies shows nothing but their names, which begin with the same hashes. So the list that its page
asks for has the pair and its decision before each name; the studies keep their names. The importance of its
parameters is the dashboard's own measure, so autokd's takes its place: note, report and dashboard agree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from autokd.report.dashboard import TITLE
from autokd.report.facts.dimensions import importance_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from autokd.store import Store

_STUDIES: Final = "/api/studies"
_IMPORTANCES: Final = re.compile(r"/api/studies/(\d+)/param_importances", re.ASCII)


def with_pairs(app: WSGIApplication, store: Store) -> WSGIApplication:
    """Return an application that tells of each of autokd's studies what `autokd` tells of its pair."""

    def answer(environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environment.get("PATH_INFO", "").rstrip("/")
        asked = _IMPORTANCES.fullmatch(path)
        if environment["REQUEST_METHOD"] != "GET" or not (path == _STUDIES or asked):
            return app(environment, start)
        begun: list[Any] = []

        def start_later(*response: Any) -> Callable[[bytes], object]:
            begun[:] = response
            return lambda text: None

        body = b"".join(app(environment, start_later))
        status, headers, *more = begun
        if status.startswith("200"):
            content = json.loads(body)
            answered = titled(content) if asked is None else _of_autokd(content, store, int(asked[1]))
            body = json.dumps(answered).encode()
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
            headers.append(("Content-Length", str(len(body))))
        start(status, headers, *more)
        return [body]

    return answer


def titled(content: dict[str, Any]) -> dict[str, Any]:
    """Return the list of studies with the title of each before its name."""
    for study in content.get("study_summaries", ()):
        title = next(
            (attribute["value"] for attribute in study["user_attrs"] if attribute["key"] == TITLE), None
        )
        if title is not None:
            study["study_name"] = f"{title} | {study['study_name']}"
    return content


def _of_autokd(content: dict[str, Any], store: Store, number: int) -> dict[str, Any]:
    """Return the importances of a study with autokd's shares; those of other studies stay."""
    name = store.optuna_storage.get_study_name_from_id(number)
    if name not in store.studies():
        return content
    importances = importance_of(store.trials(name)).dimensions
    shares = {dimension.dimension: dimension.share for dimension in importances}
    for objective in content.get("param_importances", ()):
        for parameter in objective:
            parameter["importance"] = shares.get(parameter["name"], 0.0)
        objective.sort(key=lambda parameter: -parameter["importance"])
    return content
