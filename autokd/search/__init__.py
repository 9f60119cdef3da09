"""search of autokd."""
