"""cli of autokd."""
