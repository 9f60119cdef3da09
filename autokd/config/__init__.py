"""What recipes say: frozen models that are validated when the YAML files are read."""
