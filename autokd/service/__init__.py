"""The service: what the command line reads, over HTTP, for everybody who has a token."""
