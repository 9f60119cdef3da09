"""autokd finds the knowledge-distillation setting that works for each pair of already trained models."""

__version__ = "0.1.0"
