"""Loggers: callbacks that write a run per trial into MLflow, Weights & Biases or TensorBoard."""
