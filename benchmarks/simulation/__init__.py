"""Searches replayed on recorded sweeps: the driver's own decisions, and no training."""
