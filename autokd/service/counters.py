"""Counts requests for Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from threading import Lock
from typing import Final

_BOUNDS: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
"""Upper bounds of the buckets of durations, in seconds."""


class Counters:
    """Requests by method, route and status, and how long those of a route took."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS) + 1))
        self._lock = Lock()

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; routes and methods are those that the service knows, or `other`."""
        with self._lock:
            self._requests[method, route, status] += 1
            self._seconds[route] += seconds
            self._buckets[route][bisect_left(_BOUNDS, seconds)] += 1

    def lines(self) -> Iterator[str]:
        """Yield the counters as Prometheus reads them."""
        with self._lock:
            requests, seconds = dict(self._requests), dict(self._seconds)
            buckets = {route: list(counts) for route, counts in self._buckets.items()}
        yield from family(
            "autokd_http_requests_total",
            "counter",
            "Answered requests.",
            (
                ({"method": method, "route": route, "status": str(status)}, count)
                for (method, route, status), count in sorted(requests.items())
            ),
        )
        name = "autokd_http_request_seconds"
        yield f"# HELP {name} Time until a request was answered."
        yield f"# TYPE {name} histogram"
        for route, counts in sorted(buckets.items()):
            total = 0
            for bound, count in zip((*map(str, _BOUNDS), "+Inf"), counts, strict=True):
                total += count
                yield _sample(f"{name}_bucket", {"route": route, "le": bound}, total)
            yield _sample(f"{name}_sum", {"route": route}, round(seconds[route], 6))
            yield _sample(f"{name}_count", {"route": route}, total)


def family(
    name: str, kind: str, help: str, samples: Iterable[tuple[Mapping[str, str], float]]
) -> Iterator[str]:
    """Yield the lines of one metric."""
    yield f"# HELP {name} {help}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield _sample(name, labels, value)


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{inside}}} {value}" if inside else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
