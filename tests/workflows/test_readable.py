"""One row that autokd did not write hides its pair from each command that shows many, and nothing else."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from autokd.store import Store, sqlite_url
from autokd.workflows.observe_claims import observations_of
from autokd.workflows.readable import read_each
from autokd.workflows.recommend import pair_results
from autokd.workflows.results import StoredResults
from autokd.workflows.status import overview
from tests.search.worlds import BACKWARD, FORWARD, World, tiny_plan

_RUN = "SELECT min(id) FROM autokd_run WHERE study = :study AND stage = 'confirmation'"
FORGED = {
    "word": f"UPDATE autokd_run SET label_prior = 'zz' WHERE id = ({_RUN})",
    "figure": f"UPDATE autokd_run SET forgetting = '[1,2]' WHERE id = ({_RUN})",
    "endless figure": f"UPDATE autokd_run SET local_accuracy = 1e400 WHERE id = ({_RUN})",
    "count": f"UPDATE autokd_run SET epochs = -1 WHERE id = ({_RUN})",
    "seed": f"UPDATE autokd_run SET seed = '' WHERE id = ({_RUN})",
    "seconds": f"UPDATE autokd_run SET seconds = '{{}}' WHERE id = ({_RUN})",
    "reason": f"UPDATE autokd_run SET reason = x'ff' WHERE id = ({_RUN})",
    "format": f"UPDATE autokd_run SET precision = 'float8' WHERE id = ({_RUN})",
    "split that is missing": f"DELETE FROM autokd_run_correct WHERE run_id = ({_RUN}) AND split = 'test'",
    "split of another size": "UPDATE autokd_run_correct SET examples = 8, bits = x'ff' "
    f"WHERE run_id = ({_RUN}) AND split = 'test'",
    "rule": "INSERT INTO study_user_attributes (study_id, key, value_json) "
    "SELECT study_id, 'rule', '99' FROM studies WHERE study_name = :study",
}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    """A world of two pairs that are finished, and the file of its store."""
    folder = tmp_path_factory.mktemp("world")
    world = World(folder, tiny_plan(trials=2))
    world.work()
    world.close()
    return world, folder / "store.db"


@pytest.fixture
def results(
    tuned: tuple[World, Path], request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[StoredResults]:
    """The results of a copy of the store with one forged row."""
    (world, file), copy = tuned, tmp_path / "store.db"
    shutil.copy(file, copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute(FORGED[request.param], {"study": world.names[FORWARD]}).rowcount == 1
        connection.commit()
    with Store.open(sqlite_url(copy)) as store:
        yield StoredResults(world.config, world.space, world.facts, store)


@pytest.mark.parametrize("results", FORGED, indirect=True)
def test_one_forged_row_hides_one_pair(results: StoredResults, caplog: pytest.LogCaptureFixture) -> None:
    pairs = [FORWARD, BACKWARD]
    with caplog.at_level(logging.WARNING, "autokd"):
        listed = pair_results(results, pairs)
        assert [(result.pair, result.recommendation is not None) for result in listed] == [(BACKWARD, True)]
        assert BACKWARD in {of_pair.pair for of_pair in overview(results, pairs, {}).pairs}
        records = read_each(pairs, results.records)
        assert observations_of(results, records)
        assert set(results.judgements(pairs)) == {BACKWARD}
    assert {record.message.partition(":")[0] for record in caplog.records} == {f"pair {FORWARD} is left out"}
