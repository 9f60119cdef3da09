"""The pages of the service: what a browser is shown."""
