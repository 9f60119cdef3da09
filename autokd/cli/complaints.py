"""Typer's complaints about arguments, in the form of our own errors: one line, with the way out."""

from __future__ import annotations

import re
from typing import Final

import typer

from autokd.cli.shell import taken_by_the_shell
from autokd.text.escaping import shell_word
from autokd.text.quoting import did_you_mean

_EXTRA: Final = re.compile(r"Got unexpected extra argument\(s\) \((.*)\)")
_CHOICE: Final = re.compile(r"'([^']*)' is not one of (.*)$")


def usage(error: typer.TyperException) -> str:
    """Return a complaint in words that are neither pydantic's nor Typer's, where these are hard to read."""
    # NOTE: only some of Typer's errors hold the command, and their classes are not public.
    context: typer.Context | None = getattr(error, "ctx", None)
    command = "autokd" if context is None else context.command_path
    return f"{_complaint(error, context)}; see {command} --help"


def _complaint(error: typer.TyperException, context: typer.Context | None) -> str:
    # Only here: importing pydantic takes a while, and most commands are typed without a slip.
    from pydantic import ValidationError

    from autokd.config.mistakes import words_of

    said = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    if choice := _CHOICE.search(said):
        return said + did_you_mean(choice[1], re.findall(r"'([^']*)'", choice[2]))
    if isinstance(error.__cause__, ValidationError):
        option, colon, _ = said.partition(": ")
        return f"{option}{colon}{words_of(error.__cause__)}"
    if "requires an argument" in said:
        return said + taken_by_the_shell(str.isdecimal)
    if said.startswith("No such option: --server") and context is not None and context.parent is not None:
        return "--server stands before the command: autokd --server URL " + str(context.info_name)
    if (extra := _EXTRA.search(said)) and context is not None:
        return f"unexpected argument {extra[1]!r}{_meant_by(extra[1], context)}"
    return said


def _meant_by(text: str, context: typer.Context) -> str:
    """Return the option that an argument may be meant for, as the end of a message."""
    from autokd.config.yaml_files import shipped

    options = {option for parameter in context.command.params for option in parameter.opts}
    if text.endswith((".yaml", ".yml")) or text in shipped("studies"):
        meant = "--study"
    else:
        meant = "--student" if text.isdecimal() else "--pair"
    is_meant = meant in options and (meant != "--pair" or re.fullmatch(r"[^\s,]+,[^\s,]+", text))
    return f"; did you mean {meant} {shell_word(text)}?" if is_meant else ""
