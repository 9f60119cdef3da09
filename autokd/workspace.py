"""A study recipe, its search space, a home folder and a store together: what the command line works on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Final

from autokd.answers import Answer, Records, stale_ones, tune_command
from autokd.callbacks import Callbacks, accepts_listener
from autokd.claims.all_claims import observe
from autokd.claims.claim import Claim
from autokd.compute.device import Compute
from autokd.compute.resources import Resources
from autokd.config.defaults import STUDY, usual_home, usual_storage
from autokd.config.space import Space, read_space
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.pair_records import PairRecords
from autokd.core.setting import Pair, Position, Setting
from autokd.delivery import Card, Files, Order, chosen, deliver, promised
from autokd.errors import NotTuned, PlanError
from autokd.execution.run_queue import Errands
from autokd.execution.search_queue import SearchQueue
from autokd.execution.sweeping import Sweeper, SweepProgress
from autokd.execution.telling import telling
from autokd.explaining import Explained, Explainer
from autokd.explanation.explanation import Explanation
from autokd.exporting import export_all
from autokd.federation import Federation, Progress, find, place, prepare
from autokd.judging import Judge, Payload
from autokd.recommendation import Recommendation
from autokd.recommendation.partners import Ranking, ranked
from autokd.search.overview import Overview
from autokd.search.prediction import Prediction, predicted
from autokd.search.progress import Conclusion
from autokd.search.study_names import meetings_of, sweep_name
from autokd.search.transfer import register_study, warm_started_sampler
from autokd.store import Store, sqlite_url
from autokd.undertaking import Undertaking, undertaking

if TYPE_CHECKING:
    from autokd.report.material import Material


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What tuning came to.

    Attributes:
        recommendations: Of every searched pair, the one asked for first; empty if it was interrupted.
        interrupted: Whether Ctrl-C ended it; the same call goes on.
        ran: Runs that ended during this call; 0 if the store had it all.
    """

    recommendations: tuple[Recommendation, ...]
    interrupted: bool
    ran: int


_LISTEN_SECONDS: Final = 0.5
"""Between two pictures of how a batch stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What tuning many pairs came to.

    Attributes:
        answers: The recommendation of each pair that is done.
        interrupted: Whether Ctrl-C ended it; the same call goes on.
        ran: Runs that ended during this call.
    """

    answers: Mapping[Pair, Payload]
    interrupted: bool
    ran: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep came to.

    Attributes:
        federation: Its name.
        progress: How far it is.
        interrupted: Whether Ctrl-C ended it; the same call goes on.
    """

    federation: str
    progress: SweepProgress
    interrupted: bool


def storage_url(storage: str | None, home: Path) -> str:
    """The database that is meant: `storage`, or else the SQLite file in `home`."""
    return storage or sqlite_url(home / "autokd.db")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where and what; it holds no connection and can be made at no cost.

    Attributes:
        home: Everything that autokd writes lies below it, a store elsewhere excepted.
        storage: Database URL; it may hold a password and is never printed.
        study: The recipe as it was named; by default the plan's name.
    """

    plan: StudyConfig
    space: Space
    home: Path
    storage: str
    study: str = ""

    @classmethod
    def open(
        cls,
        study: str | Path | StudyConfig = STUDY,
        *,
        home: str | Path | None = None,
        storage: str | None = None,
        space: str | Path | None = None,
        trials: int | None = None,
    ) -> Workspace:
        """Read the recipes.

        Args:
            study: A shipped study's name, a YAML file, or a plan that was made in Python.
            home: The folder for everything, made when something is written; by default `$AUTOKD_HOME`, or
                else `autokd-home` in the present folder.
            storage: A database URL; by default `$AUTOKD_STORAGE`, or else a SQLite file in `home`.
            space: A shipped space's name or a YAML file, in place of the study's own.
            trials: Per pair, in place of the study's own number.

        Raises:
            InputError: If a recipe does not exist or does not hold.

        >>> Workspace.open("digits").plan.federation.size
        10
        """
        plan = study if isinstance(study, StudyConfig) else read_study_config(str(study))
        plan = plan if trials is None else plan.with_(trials=trials)
        folder = Path(home) if home else usual_home()
        return cls(
            plan=plan,
            space=read_space(str(space or plan.space)).permitted(plan.forbidden),
            home=folder,
            storage=storage_url(storage or usual_storage(), folder),
            study=plan.name if isinstance(study, StudyConfig) else str(study),
        )

    def pair(self, text: str) -> Pair:
        """Read a pair of this study's federation.

        Raises:
            PlanError: If it is none.
        """
        return Pair.parse(text, participants=self.plan.federation.size)

    def open_store(self, *, create: bool) -> Store:
        """The store; see `Store.open`."""
        return Store.open(self.storage, create=create)

    def prepare(
        self,
        compute: Compute,
        *,
        workers: int | None = None,
        address: str | None = None,
        progress: Progress,
    ) -> Federation:
        """The federation, pre-trained now unless it was before; see `autokd.federation.prepare`."""
        recipe, home = self.plan.federation, self.home
        return prepare(
            recipe, home=home, compute=compute, workers=workers, address=address, progress=progress
        )

    @accepts_listener
    def tune(
        self,
        pair: Pair,
        *,
        position: Position | None = None,
        compute: Compute | None = None,
        workers: Resources | None = None,
        callbacks: Callbacks | None = None,
    ) -> Outcome:
        """Search, race, confirm and judge; whatever the store has already is not done again.

        Args:
            pair: Who asks: the student of it.
            position: Only this position; by default all that the space holds.
            compute: How runs compute.
            workers: On what.
            callbacks: Called while it lasts.

        Raises:
            InputError: If the device is not there, the federation cannot be made, cluster or storage do not
                answer, or another driver is at work on one of the pairs (`PairBusy`); nothing was changed.
            AutokdError: If federation or store fail; what was stored is kept, and the same call goes on.
        """
        batch = self.tune_all(
            [pair], position=position, compute=compute, workers=workers, callbacks=callbacks
        )
        asked_first = [] if batch.interrupted else sorted(batch.answers, key=lambda one: one != pair)
        found = tuple(self.recommend(one) for one in asked_first)
        return Outcome(recommendations=found, interrupted=batch.interrupted, ran=batch.ran)

    @accepts_listener
    def tune_all(
        self,
        pairs: Sequence[Pair],
        *,
        position: Position | None = None,
        compute: Compute | None = None,
        workers: Resources | None = None,
        callbacks: Callbacks | None = None,
    ) -> Batch:
        """Tune many pairs in one experiment, like `tune`; each meeting is judged as soon as it is over."""
        space = self.space
        if position is not None:
            space = space.model_copy(update={"position": (position,)}).permitted(self.plan.forbidden)
        meetings = meetings_of(space, pairs)
        answers: dict[Pair, Payload] = {}
        with self._undertaking(compute, workers, callbacks) as at_work:
            judge = self._judge(at_work.federation)
            names = {pair: judge.study(pair) for meeting in meetings for pair in meeting}
            store = at_work.acquire(names.values())
            for pair, name in names.items():
                register_study(store, name, at_work.federation, pair)

            def conclude(over: Sequence[Pair]) -> Mapping[Pair, Conclusion]:
                answers.update({pair: judge.conclude(store, pair) for pair in over})
                return {pair: _in_short(answers[pair]) for pair in over}

            queue = SearchQueue(
                plan=self.plan,
                space=self.space,
                federation=judge.federation,
                meetings=meetings,
                names=names,
                store=store,
                sampler=warm_started_sampler(
                    store, plan=self.plan, space=self.space, federation=at_work.federation, names=names
                ),
                listen=telling(store, at_work.callbacks.on_search),
                listen_seconds=_LISTEN_SECONDS,
                conclude=conclude,
            )
            if not queue.finished:
                at_work.callbacks.on_search(queue.progress())
            done = at_work.drive(queue, store)
            return Batch(answers=answers, interrupted=not done, ran=queue.ended)

    @accepts_listener
    def sweep(
        self,
        pairs: Sequence[Pair],
        *,
        seeds: int = 1,
        compute: Compute | None = None,
        workers: Resources | None = None,
        callbacks: Callbacks | None = None,
    ) -> Swept:
        """Run every setting of this workspace's grid on each pair; what the store has is not run again.

        Raises:
            InputError: If the space is no grid, or as in `tune`; nothing was changed.
            AutokdError: If federation or store fail; what was stored is kept, and the same call goes on.
        """
        if not self.space.is_grid:
            problem = f"space {self.space.name} has a continuous dimension; a sweep needs lists of values"
            raise PlanError(source="command line", field="--space", problem=problem)
        with self._undertaking(compute, workers, callbacks) as at_work:
            names = {pair: sweep_name(at_work.federation.name, self.plan, pair) for pair in pairs}
            store = at_work.acquire(names.values())
            sweeper = Sweeper(
                grid=self.space.grid(),
                names=names,
                seeds=seeds,
                retries=self.plan.search.retries,
                store=store,
                listen=at_work.callbacks.on_sweep,
            )
            at_work.callbacks.on_sweep(sweeper.progress())
            done = at_work.drive(sweeper, store)
        return Swept(federation=at_work.federation.name, progress=sweeper.progress(), interrupted=not done)

    def recommend(self, pair: Pair) -> Recommendation:
        """The recommendation of a pair, from what the store has.

        Raises:
            NotTuned: If there is none yet.
        """
        federation = self._federation(f"run autokd tune --pair {pair.teacher},{pair.student}")
        with self.open_store(create=False) as store:
            return self._judge(federation).recommendation(store, pair)

    def partners(self, student: int) -> Ranking:
        """The partners of a participant, best first, by the pairs in which it learns and that are tuned.

        Raises:
            PlanError: If there is no such participant.
            NotTuned: If none of these pairs has a recommendation.
        """
        count = self.plan.federation.size
        if not 0 <= student < count:
            problem = f"participant {student} does not exist; they are numbered 0 to {count - 1}"
            raise PlanError(source="command line", field="--student", problem=problem)
        way_out = f"run autokd tune --student {student}"
        judge = self._judge(self._federation(way_out))
        found, unknown = [], []
        with self.open_store(create=False) as store:
            for pair in (Pair(other, student) for other in range(count) if other != student):
                try:
                    found.append(judge.recommendation(store, pair))
                except NotTuned:
                    unknown.append(pair.teacher)
        if not found:
            raise NotTuned(f"participant {student} has no partner with a recommendation; {way_out}")
        return ranked(found, student=student, unknown=unknown)

    @accepts_listener
    def explain(
        self,
        pair: Pair,
        *,
        compute: Compute | None = None,
        workers: Resources | None = None,
        callbacks: Callbacks | None = None,
    ) -> Explained:
        """Run the rivals of a pair that was tuned, and line them up; what the store has is not run again.

        Raises:
            NotTuned: If there is no recommendation yet; nothing was changed.
            InputError: As in `tune`; nothing was changed.
            AutokdError: If federation or store fail; what was stored is kept, and the same call goes on.
        """
        # Before anything is prepared or started: without one there is nothing to explain.
        self.recommend(pair)
        with self._undertaking(compute, workers, callbacks) as at_work:
            explainer = Explainer(self._judge(at_work.federation), at_work.federation)
            names = explainer.names(pair)
            studies = [explainer.judge.study(one) for one in names]
            store = at_work.acquire([*studies, *names.values()])
            case = explainer.case(store, pair)
            errands = Errands(
                wanted=case.wanted,
                names=names,
                retries=case.retries,
                store=store,
                listen=at_work.callbacks.on_explain,
            )
            if not errands.finished:
                at_work.callbacks.on_explain(errands.progress())
            done = at_work.drive(errands, store)
            return Explained(explainer.explanation(store, pair) if done else None, errands.ended)

    def explanation(self, pair: Pair) -> Explanation:
        """What the store has of a pair's rivals; runs nothing, and says what is missing.

        Raises:
            NotTuned: If the pair has no recommendation yet.
        """
        federation = self._federation(f"run autokd tune --pair {pair.teacher},{pair.student}")
        with self.open_store(create=False) as store:
            return Explainer(self._judge(federation), federation).explanation(store, pair)

    def answers(self, pairs: Sequence[Pair], *, stale: bool = False) -> tuple[Answer, ...]:
        """What the store has to say of each pair; of one without a recommendation, why there is none.

        Args:
            stale: Whether a stale recommendation is wanted where there is none of today.

        Raises:
            NotTuned: If there is nothing at all.
        """
        way_out = f"run {tune_command(pairs[0])}" if len(pairs) == 1 else "run autokd tune --all"
        with self._records(way_out) as records:
            if records.federation is None and not records.stale(pairs):
                raise self._nothing(way_out)
            return records.answers(pairs, stale=stale)

    def predict(self, pair: Pair) -> Prediction:
        """What is to be expected of a pair, from what the store has of others; its own runs do not count.

        Raises:
            NotTuned: If the store has no other pair with this recipe and space.
        """
        federation = self._federation("run autokd tune on other pairs first")
        with self.open_store(create=False) as store:
            names = {pair: self._judge(federation).study(pair)}
            learner = warm_started_sampler(
                store, plan=self.plan, space=self.space, federation=federation, names=names
            )
        if not learner.runs:
            raise NotTuned("there is no other pair to learn from; run autokd tune on some first")
        return predicted(learner, names[pair], pair)

    @accepts_listener
    def distill(
        self,
        pair: Pair,
        out: Path,
        *,
        setting: Setting | None = None,
        seed: int = 0,
        force: bool = False,
        compute: Compute | None = None,
        callbacks: Callbacks | None = None,
    ) -> Card:
        """Make the recommended student in this process, and write its weights with a card beside them.

        Args:
            pair: Who teaches whom.
            out: Where the weights go, `*.safetensors`; the card is written beside it as `.json` and `.md`.
            setting: In place of what is recommended; the store is then not asked.
            seed: Which of this setting's runs, from 0; none of them was seen by search, race or confirmation.
            force: Distil even if the recommendation is against it, and replace files that are there.
            compute: How the run computes.
            callbacks: Called while it lasts.

        Raises:
            NotRecommended: If the recommendation is to leave the model as it is; nothing was changed.
            NotTuned: If there is none.
            InputError: If the files cannot or may not be written, or the device is not there.
            AutokdError: If the run fails, or store or federation do.
        """
        files = Files(out)
        files.check(force=force)
        way_out = f"run {tune_command(pair)}" if setting is None else "run autokd prepare"
        federation = self._federation(way_out)
        promise = None
        if setting is None:
            found = self.recommend(pair)
            setting, promise = chosen(found, force=force), promised(found)
        order = Order(
            pair=pair,
            setting=setting,
            promise=promise,
            seed=seed,
            study=self.study or self.plan.name,
            home=str(self.home),
            file=out.name,
            compute=compute or Compute(),
        )
        made = deliver(federation, self.plan, order, progress=(callbacks or Callbacks()).on_distill)
        files.write(made, folder=place(self.home) / federation.name, force=force)
        return made.card

    def status(self) -> Overview:
        """Where every pair stands, from the store alone; a driver may be at work or not.

        Raises:
            NotTuned: If nothing has been tuned yet.
        """
        way_out, pairs = "run autokd tune --all", self._pairs()
        with self._records(way_out) as records:
            if records.federation is None:
                raise self._nothing(way_out, records.stale(pairs))
            return records.overview(pairs)

    def observations(self) -> tuple[Claim, ...]:
        """The poster's observations in this federation, from the store alone.

        Raises:
            NotTuned: If there is nothing to observe.
        """
        federation = self._federation("run autokd tune or autokd sweep")
        judge = self._judge(federation)
        with self.open_store(create=False) as store:
            judgements = {pair: judge.judgement(store, pair) for pair in self._pairs()}
            seen = {
                pair: PairRecords(
                    pair=pair,
                    study=judge.study(pair),
                    trials=store.trials(judge.study(pair)),
                    reports=store.reports(judge.study(pair)),
                    sweep_runs=store.runs(sweep_name(federation.name, self.plan, pair)),
                )
                for pair in self._pairs()
            }
        if not any(one.trials or one.sweep_runs for one in seen.values()):
            raise NotTuned(
                f"the store has nothing of study {self.plan.name}; run autokd tune or autokd sweep"
            )
        return observe(
            seen,
            {pair: one for pair, one in judgements.items() if one is not None},
            judge.federation,
            self.plan.confirmation,
            dataset=self.plan.federation.described_data,
        )

    def gather(self, pairs: Sequence[Pair] | None = None, *, options: str = "") -> Material:
        """All that a report shows of some pairs, by default of all; an empty store has an empty report.

        Args:
            pairs: Of the federation.
            options: What is to be typed after a command so that it means this study and store.
        """
        # Imported here: only this command needs plotly.
        from autokd.reporting import gather

        federation = find(self.home, self.plan.federation)
        asked = self._pairs() if pairs is None else pairs
        try:
            store = self.open_store(create=False)
        except NotTuned:
            return gather(self.plan, self.space, federation, None, asked, options=options)
        with store:
            return gather(self.plan, self.space, federation, store, asked, options=options)

    def export(self, path: Path) -> int:
        """Write all that was measured under this plan and space, sweep and rivals, as a table; how many rows.

        Raises:
            NotTuned: If there is nothing.
            InputError: If the file cannot be written.
        """
        federation = self._federation("run autokd tune or autokd sweep")
        judge = self._judge(federation)
        names = {pair: judge.study(pair) for pair in self._pairs()}
        with self.open_store(create=False) as store:
            return export_all(path, plan=self.plan, federation=federation, names=names, store=store)

    def _pairs(self) -> list[Pair]:
        everybody = range(self.plan.federation.size)
        return [Pair(teacher, student) for teacher, student in permutations(everybody, 2)]

    def _undertaking(
        self, compute: Compute | None, workers: Resources | None, callbacks: Callbacks | None
    ) -> AbstractContextManager[Undertaking]:
        return undertaking(
            self.plan,
            home=self.home,
            open_store=lambda: self.open_store(create=True),
            compute=compute or Compute(),
            workers=workers or Resources(),
            callbacks=callbacks or Callbacks(),
        )

    @contextmanager
    def _records(self, way_out: str) -> Iterator[Records]:
        """What the store has, whether the federation is prepared or not."""
        federation = find(self.home, self.plan.federation)
        try:
            opened = self.open_store(create=False)
        except NotTuned as error:
            raise (self._nothing(way_out) if federation is None else error) from None
        with opened as store:
            yield Records(store, self.plan, self.space, None if federation is None else federation.facts())

    def _federation(self, way_out: str) -> Federation:
        federation = find(self.home, self.plan.federation)
        if federation is None:
            raise self._nothing(way_out)
        return federation

    def _nothing(self, way_out: str, stale: int = 0) -> NotTuned:
        hint = f"; {stale_ones(stale)}" if stale else ""
        return NotTuned(
            f"nothing has been tuned under {self.home} for study {self.plan.name}; {way_out}{hint}"
        )

    def _judge(self, federation: Federation) -> Judge:
        return Judge(self.plan, self.space, federation.facts())


def _in_short(answer: Payload) -> Conclusion:
    return Conclusion(answer["verdict"], answer["gain"] and answer["gain"]["mean"])
