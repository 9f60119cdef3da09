"""Python imports this as it starts where this folder is on its path: it notes who touches a folder.

WATCHED is the folder; what is done to it or below is appended to the file NOTED. What C++ opens goes unseen.
"""

from __future__ import annotations

import os
import sys

_WATCHED, _NOTED = os.environ["WATCHED"], os.environ["NOTED"]


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event.partition(".")[0] not in ("open", "os", "shutil", "sqlite3"):
        return
    for argument in arguments:
        if isinstance(argument, str | bytes | os.PathLike) and os.fsdecode(argument).startswith(_WATCHED):
            line = f"{event}\t{os.fsdecode(argument)}\n".encode()
            noted = os.open(_NOTED, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(noted, line)
            os.close(noted)


sys.addaudithook(_note)
