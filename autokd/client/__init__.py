"""A service that runs elsewhere: its typed face in Python, over HTTP."""

from autokd.client.client import Client
from autokd.client.jobs import Event, Job

__all__ = ["Client", "Event", "Job"]
