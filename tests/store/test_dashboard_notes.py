"""A judged study as Optuna Dashboard's own functions read it, on every database."""

from __future__ import annotations

import json
from typing import Any

import optuna
import optuna_dashboard
import pytest
from optuna.storages import RDBStorage
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
from sqlalchemy import event

from autokd.core.records import Presentation
from autokd.errors import StoreError
from autokd.store import Store
from autokd.store.dashboard_notes import YOURS

NOTE = "## 4->9: tuned\n\n| α | 老 |\n" + "a line that makes it long\n" * 500


def shown(note: str = NOTE, **figures: str) -> Presentation:
    return Presentation(note=note, attributes={"verdict": "tuned", "gain": 1.5}, figures=figures)


def figure(points: int) -> str:
    return json.dumps({"data": [{"x": list(range(points)), "name": 'α "quoted" \\ '}], "layout": {}})


def study_of(store: Store, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=store.optuna_storage)


def note_of(store: Store, name: str) -> str:
    return str(optuna_dashboard.get_note(study_of(store, name)))


def figures_of(store: Store, name: str) -> dict[str, Any]:
    study = study_of(store, name)
    attributes = store.optuna_storage.get_study_system_attrs(study._study_id)
    return {key: json.loads(text) for key, text in get_plotly_graph_objects(attributes).items()}


def test_the_dashboard_reads_what_was_written(store: Store, study: str) -> None:
    store.publish_dashboard(study, shown(curves=figure(10_000), landscape=figure(3)), mark="a")
    assert note_of(store, study) == NOTE + YOURS
    assert figures_of(store, study) == {
        "curves": json.loads(figure(10_000)),
        "landscape": json.loads(figure(3)),
    }
    assert store.attributes(study) == {"verdict": "tuned", "gain": 1.5}
    assert store.dashboard_mark(study) == "a"


@pytest.mark.parametrize("points", [1, 20_000])
def test_it_is_replaced_by_what_is_shorter_or_longer(store: Store, study: str, points: int) -> None:
    store.publish_dashboard(study, shown(curves=figure(5_000)), mark="a")
    store.publish_dashboard(study, shown("short", curves=figure(points)), mark="b")
    assert note_of(store, study) == "short" + YOURS
    assert figures_of(store, study) == {"curves": json.loads(figure(points))}
    assert store.dashboard_mark(study) == "b"


def test_what_people_add_to_the_note_stays(store: Store, study: str) -> None:
    optuna_dashboard.save_note(study_of(store, study), "Mine, from before.")
    store.publish_dashboard(study, shown("first"), mark="a")
    assert note_of(store, study) == f"first{YOURS}Mine, from before."
    optuna_dashboard.save_note(study_of(store, study), note_of(store, study) + "\nMore of it, α." * 1_000)
    store.publish_dashboard(study, shown("second"), mark="b")
    assert note_of(store, study) == f"second{YOURS}Mine, from before." + "\nMore of it, α." * 1_000


def test_a_page_with_an_older_note_cannot_be_saved_over_a_new_one(store: Store, study: str) -> None:
    """The dashboard takes only the version after the one that is there."""
    number = study_of(store, study)._study_id
    versions = []
    for note in ("first", "second", "second"):
        store.publish_dashboard(study, shown(note), mark=note)
        versions.append(store.optuna_storage.get_study_system_attrs(number)["dashboard:note_ver"])
    assert versions == [1, 2, 2]


def test_the_same_again_writes_nothing(file_store: Store) -> None:
    file_store.create_study("s", attributes={})
    file_store.publish_dashboard("s", shown(curves=figure(100)), mark="a")
    written: list[str] = []

    def executed(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("SELECT"):
            written.append(statement)

    event.listen(file_store.optuna_storage.engine, "after_cursor_execute", executed)
    file_store.publish_dashboard("s", shown(curves=figure(100)), mark="a")
    assert written == []


class Killed(Exception):
    """In the middle of it."""


@pytest.mark.parametrize("writes", range(8))
def test_what_was_cut_off_is_completed(
    file_store: Store, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    file_store.create_study("s", attributes={})
    left = writes

    def until_killed(storage: RDBStorage, *arguments: Any) -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        whole(storage, *arguments)

    whole = RDBStorage.set_study_system_attr
    with monkeypatch.context() as patched:
        patched.setattr(RDBStorage, "set_study_system_attr", until_killed)
        with pytest.raises(Killed):
            file_store.publish_dashboard("s", shown(curves=figure(2_500)), mark="a")
    assert file_store.dashboard_mark("s") is None
    file_store.publish_dashboard("s", shown(curves=figure(2_500)), mark="a")
    assert note_of(file_store, "s") == NOTE + YOURS
    assert figures_of(file_store, "s") == {"curves": json.loads(figure(2_500))}
    assert file_store.dashboard_mark("s") == "a"


def test_an_unknown_study_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="no study 'nobody'"):
        store.publish_dashboard("nobody", shown(), mark="a")
    with pytest.raises(StoreError, match="no study 'nobody'"):
        store.dashboard_mark("nobody")
