"""`autokd token`: make, list and revoke the tokens of the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from autokd.cli import options
from autokd.cli.budget import seconds_of
from autokd.cli.console import note, out, plain_table, print_json
from autokd.config.defaults import HOME
from autokd.core.access_token import AccessToken, Scope
from autokd.text.escaping import one_line

if TYPE_CHECKING:
    from pathlib import Path


def create(
    name: Annotated[str, typer.Option(help="What the token is called, e.g. who uses it.", metavar="NAME")],
    scope: Annotated[
        Literal["read", "tune", "admin"],
        typer.Option(help="What it may do: read; tune, which may also put recipes; or everything."),
    ],
    expires: Annotated[
        str | None,
        typer.Option(help="How long it holds, e.g. 30d or 12h; by default until revoked.", metavar="30d"),
    ] = None,
    home: options.Home = HOME,
    storage: options.Storage = None,
    json: options.Json = False,
) -> None:
    """Make a token for `autokd serve`. It is shown once: the store keeps only a hash of it.

    Example:
        autokd token create --name ci --scope read --expires 30d
    """
    from autokd.workflows import tokens as workflow

    seconds = None if expires is None else seconds_of(expires, option="--expires")
    made = workflow.create(_address(home, storage), name=name, scope=Scope(scope), seconds=seconds)
    if json:
        print_json(made.to_json())
    else:
        out.print(made.text, soft_wrap=True)
        note(f"this is shown once; {_words(made.stored)}")


def list(home: options.Home = HOME, storage: options.Storage = None, json: options.Json = False) -> None:
    """List the tokens by name, with their scope and until when each holds; none is shown itself.

    Example:
        autokd token list
    """
    from autokd.workflows import tokens as workflow

    tokens = workflow.tokens(_address(home, storage))
    if json:
        print_json([workflow.token_json(token) for token in tokens])
        return
    if not tokens:
        out.print("there is no token; autokd token create makes one")
        return
    grid = plain_table("name", "scope", "id", "made", "holds")
    for token in tokens:
        state = _until(token) if token.revoked is None else f"revoked {_day(token.revoked)}"
        grid.add_row(one_line(token.name), token.scope.value, token.id, _day(token.created), state)
    out.print(grid)


def revoke(
    name: Annotated[str, typer.Argument(help="Name of the token.", metavar="NAME", show_default=False)],
    home: options.Home = HOME,
    storage: options.Storage = None,
    json: options.Json = False,
) -> None:
    """Revoke a token: the next request with it is refused.

    Example:
        autokd token revoke ci
    """
    from autokd.workflows import tokens as workflow

    revoked = workflow.revoke(_address(home, storage), name)
    if json:
        print_json(workflow.token_json(revoked))
    else:
        out.print(f"revoked {revoked.name}", soft_wrap=True)


def _address(home: Path, storage: str | None) -> str:
    from autokd.config.defaults import usual_storage
    from autokd.workspace import storage_url

    return storage_url(storage or usual_storage(), home)


def _words(token: AccessToken) -> str:
    return f"it is called {token.name}, may {token.scope.value}, and holds {_until(token)}"


def _until(token: AccessToken) -> str:
    if token.expires is None:
        return "until it is revoked"
    return f"{'expired' if token.expired else 'until'} {_day(token.expires)}"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
