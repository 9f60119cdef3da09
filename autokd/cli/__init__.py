"""The command line: one command a module, registered in `app`; it wires, prints, and decides nothing."""

from autokd.cli.app import main as main
