"""Input that nobody would write on purpose: autokd explains it in a line, and never crashes.

A target is one thing that autokd reads, with a strategy for odd inputs of it. To fuzz one more reader, give
it a `Target` in a module here and name that module in `targets.py`.
"""
