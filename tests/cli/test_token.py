"""`autokd token`, as it is typed."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from autokd.core.access_token import public_part
from tests.cli.conftest import Command, refused


def test_a_token_is_made_listed_and_revoked(here: Command, home: Path) -> None:
    made = here("token", "create", "--name", "ci", "--scope", "read", "--expires", "30d", "--home", home)
    token = made.out.strip()
    public = public_part(token)
    assert public is not None
    assert "this is shown once; it is called ci, may read, and holds until 20" in made.err
    listed = here("token", "list", "--home", home)
    assert "ci    read" in listed.out
    (entry,) = json.loads(here("token", "list", "--home", home, "--json").out)
    days = datetime.fromisoformat(entry["expires"]) - datetime.fromisoformat(entry["created"])
    assert (entry["id"], entry["holds"], days.days) == (public, True, 30)
    assert here("token", "revoke", "ci", "--home", home).out == "revoked ci\n"
    shown = here("token", "list", "--home", home).out
    assert "revoked 20" in shown
    secret = token.split("_", 2)[2]
    assert secret not in shown + listed.out
    assert secret.encode() not in (home / "autokd.db").read_bytes()


def test_a_token_for_programs(here: Command, home: Path) -> None:
    made = here("token", "create", "--name", "a", "--scope", "admin", "--json", "--home", home).json()
    assert (made["scope"], made["expires"], public_part(made["token"])) == ("admin", None, made["id"])


def test_slips_are_refused_with_a_way_out(here: Command, home: Path) -> None:
    create = ("token", "create", "--home", home, "--scope", "read")
    refused(here(*create, "--name", "a b"), "--name", "letters")
    refused(here(*create, "--name", "ci", "--expires", "soon"), "--expires", "is no time")
    refused(here("token", "revoke", "ci", "--home", home), "nothing is stored")
    here(*create, "--name", "ci")
    refused(here(*create, "--name", "ci"), "autokd token revoke ci")
    refused(here("token", "revoke", "c", "--home", home), "autokd token list")
    assert here("token", "list", "--home", home / "none").out.startswith("there is no token")
