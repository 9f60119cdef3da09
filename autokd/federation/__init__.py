"""Federations: data sets, partitions, architectures, pre-training, and participants on disk."""

from autokd.federation._federation import Dataset as Dataset
from autokd.federation._federation import Federation as Federation
from autokd.federation._federation import Participant as Participant
