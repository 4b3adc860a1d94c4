"""The whole run: every table, view and split, then the studies. A contestant that breaks leaves the others be.
What is measured lives in `protocol` and `studies`, how it is shown in `show`, what is good enough in `bars`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.progress import Progress
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from bench import machine
from bench.report import Report
from bench.routers import bars, ours, show, studies
from bench.routers.entrants import Contestant, Ours, contestants, our_contestant
from bench.routers.gate import gate_p50_ms
from bench.routers.protocol import Run, measure, references
from bench.routers.rivals import rivals
from bench.routers.tables import FIRST_SEED, Table, load_all, split
from bench.routers.views import View, cut, unseen_tasks, views

QUICK_TASKS = 3
# Too slow to be trained once a task or on the fixed pool, and no different there from the others of their kind.
SLOW = ("LLMRouter: MLP", "LLMRouter: SVM", *(f"RouteIQ: {name}" for name in ours.STRATEGIES[2:]))
SMALL = 5000
PARTS = ("numpy", "scikit-learn")


class Session:
    """One run. `figures` collects what the bars ask of the default strategy, in their units."""

    def __init__(self, tables: list[Table], seeds: int, quick: bool, console: Console) -> None:
        self.tables, self.quick, self.console = tables, quick, console
        self.seeds = range(FIRST_SEED, FIRST_SEED + seeds)
        self.report = Report("routing")
        self.figures: dict[bars.Figure, float] = {}
        self.default = our_contestant(ours.STRATEGIES[0])
        self._progress = Progress(console=console)
        self._task = self._progress.add_task("", total=None)

    def run(self) -> Report:
        # One thread: decisions are timed, and threads that wait for one another on a busy machine cost minutes.
        with self._progress, warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)  # a rival's own settings end its training
            self.report.data["tables"] = {table.name: self._table(table) for table in self.tables}
            self._fixed_pool()
        self.report.verdicts = bars.judge(self.figures)
        return self.report

    def _table(self, table: Table) -> dict[str, object]:
        measured: dict[str, object] = {}
        for view in views(table):
            seen: dict[str, object] = {}
            measured[view] = seen
            runs, stayed = self._splits(table, view)
            self.report.grids.append(show.outcomes(f"{table.name}, {view}, {len(self.seeds)} splits", runs))
            seen |= {"runs": [run.as_dict() for run in runs], "unchanged": stayed}
            self._note(table, view, runs)
            if stayed:
                self.report.grids.append(show.shares(f"{table.name}, {view}: decisions unchanged by noise", stayed))
            if studies.has_unseen_tasks(table) and view is views(table)[0]:
                changes = self._unseen(table, view)
                self.report.grids.append(show.unseen(f"{table.name}, {view}: a task never seen", changes))
                seen["unseen"] = changes
        return measured

    def _splits(self, table: Table, view: View) -> tuple[list[Run], dict[str, dict[str, float]]]:
        known: list[Run] = []
        runs: list[Run] = []
        stayed: dict[str, dict[str, float]] = {}
        for seed in self.seeds:
            self._step(f"{table.name}, {view}, split {seed}: features")
            parts = cut(table, view, *split(len(table.texts), seed), seed)
            known += references(parts)
            for contestant in self._entered(table, without=self._left_out(table, view)):
                self._step(f"{table.name}, {view}, split {seed}: {contestant.name}")
                with self._guarded(contestant.name, f"{table.name}, {view}"):
                    entrant = contestant.train(parts)
                    runs.append(measure(contestant.name, entrant, parts))
                    if contestant.name == self.default.name and isinstance(entrant, Ours):
                        self._gate(entrant, view, parts.test.texts)
                    if view is View.TEXT and seed == FIRST_SEED:
                        stayed[contestant.name] = studies.robustness(entrant, parts.test)
            self._progress.console.print(f"{table.name}, {view}: split {seed} done")
        return known + runs, stayed

    def _unseen(self, table: Table, view: View) -> dict[str, dict[str, float]]:
        changes: dict[str, dict[str, float]] = {}
        for task, train, test in list(unseen_tasks(table))[: QUICK_TASKS if self.quick else None]:
            self._step(f"{table.name}, {view}, {task} left out")
            parts = cut(table, view, train, test, seed=0)
            for contestant in self._entered(table, without=SLOW):
                with self._guarded(contestant.name, f"{table.name}, {view}, {task} left out"):
                    change = studies.change_on_test(contestant.train(parts), parts)
                    changes.setdefault(contestant.name, {})[task] = change
        self._progress.console.print(f"{table.name}, {view}: tasks left out one by one, done")
        if self.default.name in changes:
            own = changes[self.default.name].values()
            self.figures[table.name, bars.FIRST, bars.UNSEEN_MEAN] = 100 * fmean(own)
            self.figures[table.name, bars.FIRST, bars.UNSEEN_WORST] = 100 * min(own)
        return changes

    def _fixed_pool(self) -> None:
        pool = studies.fixed_pool()
        times: dict[str, float] = {}
        for contestant in self._entered(pool.table, without=SLOW):
            self._step(f"{pool.table.name}: {contestant.name}")
            with self._guarded(contestant.name, pool.table.name):
                entrant = contestant.train(pool)
                times[contestant.name] = studies.decision_p50_ms(entrant, pool)
                if contestant.name == self.default.name:
                    self.figures["", bars.FIRST, bars.DECISION] = times[contestant.name]
        self.report.grids.append(show.milliseconds("one decision, features given, 5,000 rows x 10 models", times))
        self.report.data["decision_p50_ms"] = times

    def _gate(self, entrant: Ours, view: View, texts: Sequence[str]) -> None:
        """Once, with the first router that needs no download."""
        if view is View.TEXT and ("", bars.FIRST, bars.GATE) not in self.figures:
            added = gate_p50_ms(entrant, texts)
            self.figures["", bars.FIRST, bars.GATE] = added
            self.report.data["gate_p50_ms"] = added
            self._artifact(entrant)

    def _artifact(self, entrant: Ours) -> None:
        with self._guarded("artifact", "load and verify"):
            loaded, ready = studies.artifact_ms(entrant)
            self.figures["", bars.FIRST, bars.LOAD] = loaded
            self.figures["", bars.FIRST, bars.SWAP] = ready
            self.report.data["artifact_ms"] = {"load and verify": loaded, "ready to decide": ready}

    def _note(self, table: Table, view: View, runs: list[Run]) -> None:
        own = [run for run in runs if run.router == self.default.name]
        if not own:
            return
        found = {
            bars.GAP: fmean(run.outcome.gap for run in own),
            bars.D_AIQ: fmean(run.outcome.d_aiq for run in own),
            bars.SAVE: fmean(run.outcome.save for run in own),
        }
        pairs = [run.pair.apgr for run in own if run.pair]
        if pairs:
            found[bars.APGR] = fmean(pairs)
        for name, value in found.items():
            self.figures[table.name, view, name] = 100 * value
            if view is views(table)[0]:
                self.figures[table.name, bars.FIRST, name] = 100 * value

    @contextmanager
    def _guarded(self, name: str, place: str) -> Iterator[None]:
        """What breaks inside is noted under `name`; see `_entered` for the rest of the run."""
        try:
            yield
        except Exception as error:
            self.report.failed[name] = f"{place}: {error!r}"
            self._progress.console.print_exception()

    def _entered(self, table: Table, without: tuple[str, ...] = ()) -> Iterator[Contestant]:
        """The contestants of a table. One that broke is out: the rest of the run is about the others."""
        for contestant in contestants(table, rivals):
            if contestant.name not in without and contestant.name not in self.report.failed:
                yield contestant

    def _left_out(self, table: Table, view: View) -> tuple[str, ...]:
        """Our other strategies enter the first view of the smaller tables: elsewhere they would only take time."""
        small = view is views(table)[0] and len(table.texts) <= SMALL
        return () if small else tuple(f"RouteIQ: {name}" for name in ours.STRATEGIES[1:])

    def _step(self, description: str) -> None:
        self._progress.update(self._task, description=description)


def measure_all(folder: Path, names: list[str], seeds: int, quick: bool, cache: Path, console: Console) -> Report:
    """Load the named tables from `folder` and measure everything on them."""
    session = Session(load_all(folder, names), seeds, quick, console)
    report = session.run()
    report.data["machine"] = {**machine.describe(cache), "libraries": {part: version(part) for part in PARTS}}
    report.data["options"] = {"tables": names, "seeds": list(session.seeds), "quick": quick}
    return report
