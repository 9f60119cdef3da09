"""The version, in a module of its own: the package itself imports from every layer."""

__version__ = "0.2.0"
