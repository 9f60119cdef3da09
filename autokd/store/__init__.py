"""store of autokd."""
