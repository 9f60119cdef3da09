"""Optuna Dashboard on a store: by itself, and under an address of the service."""
