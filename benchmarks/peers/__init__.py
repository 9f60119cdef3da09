"""Other libraries' tuners on the recorded tables, in an environment of their own: nothing here imports autokd."""
