"""How much of a Ray cluster each run reserves, and so how many runs there may be at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autokd.core.arguments import constructed, real, text, whole
from autokd.errors import ArgumentError, InputError


@constructed
@dataclass(frozen=True, slots=True)
class Resources:
    """Where runs are executed, and what each of them reserves.

    Attributes:
        concurrency: Maximum number of runs at once; None for as many as the cluster holds.
        cpus_per_run: CPUs of a run.
        gpus_per_run: GPUs of a run; a fraction lets runs share one.
        address: Address of a Ray cluster to join (`autokd.compute.ray_cluster`); None starts one here.
    """

    concurrency: int | None = None
    cpus_per_run: float = 1.0
    gpus_per_run: float = 0.0
    address: str | None = None

    def __post_init__(self) -> None:
        if self.concurrency is not None:
            whole("concurrency", self.concurrency, least=1)
        for name in ("cpus_per_run", "gpus_per_run"):
            real(name, getattr(self, name), least=0)
        if self.cpus_per_run + self.gpus_per_run == 0:
            raise ArgumentError("cpus_per_run", "or gpus_per_run must be positive: a run reserves something")
        if self.address is not None:
            text("address", self.address)

    def check(self, resources: Mapping[str, float]) -> None:
        """Raise `InputError`, rather than wait for ever, if a cluster cannot hold a single run."""
        for option, name, wanted in (
            ("--cpus-per-trial", "CPU", self.cpus_per_run),
            ("--gpus-per-trial", "GPU", self.gpus_per_run),
        ):
            available = resources.get(name, 0)
            if wanted > available:
                raise InputError(f"{option} {wanted:g}: there are only {available:g} {name}s; reserve less")

    def max_in_flight(self, resources: Mapping[str, float]) -> int:
        """Return the number of runs to hand out to a cluster of these resources, at least 1.

        It is one more than the cluster can hold, since Tune keeps an idle worker only while another run waits
        for one, but never more than `concurrency`.
        """
        most = self._room(resources) + 1
        return most if self.concurrency is None else min(most, self.concurrency)

    def at_once(self, resources: Mapping[str, float]) -> int:
        """Return the number of runs that a cluster of these resources does at once, at least 1."""
        return min(self._room(resources), self.concurrency or self._room(resources))

    def _room(self, resources: Mapping[str, float]) -> int:
        shares = {"CPU": self.cpus_per_run, "GPU": self.gpus_per_run}
        # NOTE: 1 // 0.1 is 9 in floating point, yet a GPU in ten parts holds ten runs.
        capacity = [int(resources.get(name, 0) / share + 1e-9) for name, share in shares.items() if share]
        return max(1, min(capacity))
