"""The command line: one command per module, registered in `app`; they print, and decide nothing."""

from typing import NoReturn

from autokd.core.safe_path import use_safe_path


def main() -> NoReturn:
    """Run the command line; see `autokd.cli.app.main`."""
    # Before anything else is imported.
    use_safe_path()
    from autokd.cli.app import main

    main()
