"""What people write: recipes, search spaces, and words on the command line."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from autokd.cli.pair_options import PairOptions
from autokd.compute.ray_cluster import check_address
from autokd.config.base import content_hash
from autokd.config.space import read_space
from autokd.config.yaml_files import read_study_config
from autokd.core.participant_names import ParticipantNames
from autokd.core.setting import Pair
from autokd.federation.preparation import check
from autokd.search.optuna_space import distributions
from autokd.store import normalise, redacted
from autokd.store.url import secrets
from tests.federation.conftest import SMALL
from tests.fuzz.harness import Target
from tests.fuzz.odd import damaged, edited

PARTICIPANTS = 10
STUDY: dict[str, Any] = {
    "name": "small",
    "federation": SMALL,
    "distillation": {"learning_rate": 0.01, "epochs": 10, "batch_norm": "train", "schedule": "cosine"},
    "space": "default",
    "search": {"trials": 4, "startup_trials": 2, "stopping": {"rungs": [3, 6], "reduction": 2, "grace": 0}},
    "confirmation": {"candidates": 1, "race_seeds": 1, "seeds": 2, "min_improvement": 0.5},
}
SPACE: dict[str, Any] = {
    "name": "mine",
    "temperature": {"low": 0.5, "high": 16, "log": True},
    "alpha": [0.1, 0.5, 1],
    "transfer_set": ["student", "both", "public"],
    "position": ["student", "teacher"],
}


def _files(document: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """A recipe's bytes: odd in what they say, or damaged as they are, or any text at all."""
    written = yaml.safe_dump(document, sort_keys=False).encode()
    odd = edited(document).map(
        lambda recipe: yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True).encode()
    )
    text = st.text(alphabet=st.sampled_from("ab:- \n\t[]{}&*!?|>%@'\"#0.~,<é\x00"), max_size=60)
    return odd | odd | odd | odd | damaged(written) | text.map(str.encode) | st.binary(max_size=40)


def _in_a_file(read: Callable[[str], object]) -> Callable[[bytes], object]:
    def write_and_read(content: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "mine.yaml"
            file.write_bytes(content)
            return read(str(file))

    return write_and_read


def _study(file: str) -> None:
    config = read_study_config(file)
    content_hash(config)
    check(config.federation)


def _space(file: str) -> None:
    space = read_space(file)
    distributions(space)
    space.pairs(Pair(4, 9))
    if space.is_grid:
        space.grid()


def _pair(text: str) -> None:
    pair = Pair.parse(text, participants=PARTICIPANTS)
    assert {pair.teacher, pair.student} <= set(range(PARTICIPANTS))
    assert PairOptions(more=text.split()).selected(ParticipantNames(count=PARTICIPANTS))


def _storage(text: str) -> None:
    assert redacted(text) is not None
    secrets(normalise(text))


_words = st.text(max_size=12) | st.sampled_from(
    ["4,9", "4->9", " 4 , 9", "٤,٩", "4,9\n", "-1,2", "1e3,2", "0x4,9"]
)
_pairs = _words | st.from_regex(r"\s?-?\d{0,12}(,|->|;)-?\d{0,12}\s?") | st.lists(_words).map(" ".join)
_addresses = st.from_regex(r"(ray://|http://)?[a-z.\[\]:@]{0,9}:?\d{0,7}", fullmatch=True) | _words
_urls = (
    st.builds(
        "{}://{}:{}@{}/{}?{}".format,
        st.sampled_from(["sqlite", "postgresql", "mysql", "mariadb", "postgres", "oracle", ""]),
        *[st.text(max_size=9)] * 5,
    )
    | st.text(max_size=30)
    | damaged(b"postgresql://user:hunter2@host:5432/database?sslmode=require").map(
        lambda content: content.decode("latin-1")
    )
)

TARGETS = (
    Target("pair", _pairs, _pair),
    Target("cluster address", _addresses, check_address),
    Target("storage address", _urls, _storage),
    Target("study", _files(STUDY), _in_a_file(_study)),
    Target("search space", _files(SPACE), _in_a_file(_space)),
)
