"""`/v1/commands`: what a command of the command line prints, for `autokd --server`."""

from __future__ import annotations

from fastapi import APIRouter, Request

from autokd.core.access_token import Scope
from autokd.service.auth import reads, wants
from autokd.service.commands import DONE, CommandOutput, CommandRequest, Commands
from autokd.service.context import InContext, errors

router = APIRouter(prefix="/v1/commands", tags=["commands"], dependencies=[reads])


@router.post("", summary="What a command prints", responses=errors(400, 404, 408, 413))
async def run_command(context: InContext, request: Request, command: CommandRequest) -> CommandOutput:
    """Return what a command prints; `tune` and `explain`, after their jobs, need the scope `tune`."""
    if command.command in DONE:
        wants(Scope.TUNE)(request)
    commands: Commands = request.app.state.commands
    return await commands.run(command, context.catalogue.study(command.study))
