"""Every error that autokd raises on purpose, in one tree.

    AutokdError                     anything autokd can explain; the command line prints it as one line
    ├── InputError                  the user can mend it; exit code 2
    │   ├── PlanError               a study, search space or pair is wrong: names file, field and way out
    │   ├── ArgumentError           what a program passed is wrong: names the argument; a ValueError, too
    │   ├── UnknownName             a shipped recipe, architecture or dataset of that name does not exist
    │   ├── NotTuned                a recommendation was asked for before anything was tuned
    │   ├── NotRecommended          a model was asked for that the recommendation is against
    │   ├── DeviceUnavailable       the device asked for is not there
    │   ├── HomeNotWritable         nothing can be kept there; a FederationError, too
    │   └── StorageUnavailable      no such database, when a command begins; a StoreUnreachable, too
    │       └── ForeignLog          beside a SQLite store lies the write-ahead log of another one
    ├── FederationError             a prepared federation on disk is damaged or of another version
    ├── StoreError                  the database cannot be reached, read or written
    │   ├── StoreUnreachable        later, when something is stored already: exit code 1
    │   ├── DuplicateRun            a second result of the same run
    │   ├── PairBusy                another driver is at work on a pair; an InputError, too
    │   ├── LeaseLost               another driver has taken over, and this one writes nothing more
    │   └── StoreReplaced           the store was removed or replaced while it was used
    ├── ServiceError                a service does not answer or has failed; exit code 1
    │   └── RequestRefused          it refuses what was asked; an InputError, too
    ├── WorkersLost                 no worker starts, or each one dies: nothing would ever get done
    └── TrialError                  one run failed; it becomes data (state FAIL), not a crash
        ├── Diverged                the loss stopped being finite
        └── OutOfMemory             the device ran out of memory

Bad arguments to a public function are `ArgumentError`s, those to one within autokd plain `ValueError`s naming
the value; `assert` guards our own slips only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from typing import Self

from autokd.text.escaping import one_line


class AutokdError(Exception):
    """Base of the tree: the message is one line that names what is wrong and the way out."""

    exit_code = 1

    def __str__(self) -> str:
        return one_line(super().__str__())  # It may quote what somebody else has written.


class InputError(AutokdError):
    """What the user asked for cannot be done as asked; nothing was changed."""

    exit_code = 2


class PlanError(InputError):
    """A field of a study, a search space or a pair does not hold.

    Attributes:
        others: What else does not; the message says how many, and `autokd check` which.
    """

    def __init__(
        self, *, source: str, field: str = "", problem: str, others: Sequence[PlanError] = ()
    ) -> None:
        more = f" (and {len(others)} more; autokd check lists them)" if others else ""
        super().__init__(": ".join(part for part in (source, field, problem) if part) + more)
        self.source, self.field, self.problem, self.others = source, field, problem, tuple(others)

    @classmethod
    def of_option(cls, option: str, problem: str) -> Self:
        """Return the error of an option of the command line, e.g. `--pair`."""
        return cls(source="command line", field=option, problem=problem)

    @classmethod
    def together(cls, problems: Sequence[PlanError]) -> Self:
        """Several problems, at least one, as one error; the inverse of `all`."""
        first, *others = problems
        return cls(source=first.source, field=first.field, problem=first.problem, others=others)

    def within(self, source: str) -> Self:
        """Return the same problems as those of another source, e.g. the file that the fields are in."""
        return self.together(
            [PlanError(source=source, field=error.field, problem=error.problem) for error in self.all]
        )

    def to_json(self) -> dict[str, str]:
        """Return file, field and problem of this one alone."""
        return {"file": self.source, "field": self.field, "problem": self.problem}

    @property
    def all(self) -> tuple[PlanError, ...]:
        """Each problem by itself, this one first."""
        return (PlanError(source=self.source, field=self.field, problem=self.problem), *self.others)


class ArgumentError(InputError, ValueError):
    """An argument of a public function or class does not hold; nothing was changed.

    Attributes:
        argument: Its name.
        problem: What is wrong with it.
    """

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument}: {problem}")
        self.argument, self.problem = argument, problem

    def __reduce__(self) -> tuple[object, ...]:
        return ArgumentError, (self.argument, self.problem)


class UnknownName(InputError):
    """Nothing of that kind has that name; the message lists what exists."""

    def __init__(self, *, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        folded = {each.casefold(): each for each in names}
        close = get_close_matches(name.casefold(), folded, n=1)
        guess = f" Did you mean {folded[close[0]]!r}?" if close else ""
        way_out = f" {hint}" if hint else ""
        super().__init__(f"no {kind} is called {name!r}; known: {', '.join(names)}.{guess}{way_out}")
        self.kind, self.name, self.known = kind, name, tuple(names)


class NotTuned(InputError):
    """The store has no finished work for a pair."""


class NotRecommended(InputError):
    """The recommendation is to leave the model as it is, and nobody insisted on another."""


class DeviceUnavailable(InputError):
    """The compute device asked for does not exist on this machine."""


class FederationError(AutokdError):
    """A prepared federation on disk cannot be used."""


class StoreError(AutokdError):
    """The database did something that autokd cannot work with."""


class StoreUnreachable(StoreError):
    """The database does not answer; the message never holds a password.

    Attributes:
        momentary: Whether the same call may succeed at once: a connection was cut, or the server has undone
            the transaction in favour of another one.
    """

    def __init__(self, message: str, *, momentary: bool = False) -> None:
        super().__init__(message)
        self.momentary = momentary


class HomeNotWritable(InputError, FederationError):
    """The folder that is to hold everything cannot be written."""


class StorageUnavailable(InputError, StoreUnreachable):
    """The database does not answer at the very beginning: its address is the first thing to look at."""


class ForeignLog(StorageUnavailable):
    """Beside a SQLite store lies the write-ahead log of another one."""


class DuplicateRun(StoreError):
    """The store already has a COMPLETE result of this very run; a second one is refused, never merged."""


class ServiceError(AutokdError):
    """A service does not answer, or has failed.

    Attributes:
        status: HTTP status of its answer; None if there was none.
        retry_after: Seconds after which it wants to be asked again; 0 if it does not say.
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


class RequestRefused(ServiceError, InputError):
    """A service refuses what was asked; the message is its own, with the way out."""


class WorkersLost(AutokdError):
    """Workers were lost one after the other and none said anything in between."""


class PairBusy(StoreError, InputError):
    """Another driver that is alive has a study; nothing was changed.

    Attributes:
        study: Its name, which ends with the pair.
        owner: Who has it, for people.
        since: When that driver took it, and until when it has it unless it renews: seconds since 1970, by
            the database's clock.
    """

    def __init__(self, *, study: str, owner: str, since: float, until: float) -> None:
        pair = study.rpartition("/")[2]
        super().__init__(
            f"pair {pair} is being tuned by {owner}, since {_clock(since)}; wait for it, or stop it: should "
            f"it be dead on another machine, its lease ends at {_clock(until)}, or at once by autokd store "
            f"release --pair {pair.replace('->', ',')}"
        )
        self.study, self.owner, self.since, self.until = study, owner, since, until


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


class LeaseLost(StoreError):
    """Others were let in, since this driver was silent for longer than its lease (a stop, a long sleep)."""


class StoreReplaced(StoreError):
    """The store under this address is not the one that was opened: it was removed, or another is there."""


class TrialError(AutokdError):
    """One run failed; the search records it and goes on."""


class Diverged(TrialError):
    """The loss stopped being finite."""

    def __init__(self, *, step: int, loss: float) -> None:
        super().__init__(f"loss became {loss} at step {step}; try a lower learning rate or temperature")
        self.step, self.loss = step, loss

    def __reduce__(self) -> tuple[object, ...]:
        # NOTE: keyword-only arguments do not survive the default pickling, and Ray pickles errors.
        return partial(Diverged, step=self.step, loss=self.loss), ()


class OutOfMemory(TrialError):
    """The device ran out of memory during a run."""
