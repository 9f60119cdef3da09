"""recommendation of autokd."""
