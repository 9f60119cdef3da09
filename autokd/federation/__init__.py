"""Federations: participants, common splits, preparation, and storage on disk."""

from autokd.models.building import build as build  # scripts on cards of earlier releases import it from here
