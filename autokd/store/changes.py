"""What tells whether the records of a study have changed, without reading them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, MetaData, Select, Table, func, select

from autokd.store.db_errors import translate_errors
from autokd.store.store import Store
from autokd.store.tables import RecommendationRow, RunRow

Mark = tuple[object, ...]
"""Equal to an earlier one as long as nothing was written that judgements or curves of the study rest on."""

_OURS: Final = "autokd:%"
"""What the keys of our system attributes begin with. The basis of a verdict is one: it changes in place."""
_TABLES: Final = (
    *("studies", "trials", "trial_intermediate_values"),
    *("study_user_attributes", "study_system_attributes"),
)


class Changes:
    """Marks of the studies of one store; each look is a few queries over indexes, whatever has changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tables: Mapping[str, Table] = {}

    def marks(self) -> dict[str, Mark]:
        """Return the mark of each study, and of each name under which there are runs, by name."""
        marks: defaultdict[str, list[object]] = defaultdict(list)
        with self._connected() as connection:
            for number, query in enumerate(self._queries(connection)):
                for row in connection.execute(query):
                    name, *facts = row
                    marks[str(name)].append((number, *facts))
        return {name: tuple(facts) for name, facts in marks.items()}

    def _queries(self, connection: Connection) -> Iterator[Select[*tuple[Any, ...]]]:
        tables = self._tables = self._tables or _reflected(connection)
        studies, trials, values, users, systems = (tables[name] for name in _TABLES)
        name = studies.c.study_name
        to_trials = studies.outerjoin(trials, trials.c.study_id == studies.c.study_id)
        ended = func.count(trials.c.datetime_complete), func.max(trials.c.datetime_complete)
        began = func.count(trials.c.trial_id), func.max(trials.c.trial_id)
        # The number tells a study from one that has its name after it was deleted.
        number = func.max(studies.c.study_id)
        yield select(name, number, *began, *ended).select_from(to_trials).group_by(name)
        reports = func.count(values.c.trial_intermediate_value_id)
        last = func.max(values.c.trial_intermediate_value_id)
        to_values = studies.join(trials, trials.c.study_id == studies.c.study_id).join(
            values, values.c.trial_id == trials.c.trial_id
        )
        yield select(name, reports, last).select_from(to_values).group_by(name)
        lengths = func.sum(func.length(users.c.value_json))
        to_users = studies.join(users, users.c.study_id == studies.c.study_id)
        yield select(name, func.count(), lengths).select_from(to_users).group_by(name)
        to_systems = studies.join(systems, systems.c.study_id == studies.c.study_id)
        ours = systems.c.key.like(_OURS)
        attributes = select(name, systems.c.key, systems.c.value_json).select_from(to_systems)
        yield attributes.where(ours).order_by(name, systems.c.key)
        yield select(RunRow.study, func.count(), func.max(RunRow.id)).group_by(RunRow.study)
        yield select(RecommendationRow.study)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        engine = self._store.optuna_storage.engine
        with translate_errors(engine.url), engine.connect() as connection:
            yield connection


def _reflected(connection: Connection) -> Mapping[str, Table]:
    metadata = MetaData()
    metadata.reflect(connection, only=_TABLES)
    return metadata.tables
