"""Other libraries' tuners on the recorded tables, in their own environment: nothing here imports autokd."""
