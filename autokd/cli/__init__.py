"""The command line: one command per module, registered in `app`; they print, and decide nothing."""

from autokd.cli.app import main as main
