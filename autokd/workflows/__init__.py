"""The use cases of autokd, one a module: what commands and the Python interface do."""
