"""A recommendation beside its alternatives, and where its gain comes from."""
