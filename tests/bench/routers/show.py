"""The tables a run prints: routers down, figures across, mean and standard deviation over the splits. Cost is relative
to the best single model, us the microseconds of one decision. Only writing out; every number comes from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from bench.report import Grid
from bench.routers.protocol import Run, mean_and_deviation

COLUMNS = ("router", "quality", "cost", "gap", "d_aiq", "save", "us")
PAIR_COLUMNS = ("APGR", "CPT50", "CPT80")


def outcomes(title: str, runs: Sequence[Run]) -> Grid:
    """One row a router, in the order of its first run."""
    pairs = any(run.pair for run in runs)
    rows = []
    for router in dict.fromkeys(run.router for run in runs):
        of = [run for run in runs if run.router == router]
        row = [
            router,
            _spread(of, lambda run: run.outcome.quality),
            f"{fmean(run.cost_share for run in of):.2f}",
            _spread(of, lambda run: run.outcome.gap),
            _spread(of, lambda run: run.outcome.d_aiq if run.has_curve else None),
            _spread(of, lambda run: run.outcome.save if run.has_curve else None),
            _plain([run.us for run in of], ".0f"),
        ]
        if pairs:
            row += [
                _spread(of, lambda run: run.pair.apgr if run.pair else None),
                _plain([run.pair.cpt50 if run.pair else None for run in of], ".3f"),
                _plain([run.pair.cpt80 if run.pair else None for run in of], ".3f"),
            ]
        rows.append(row)
    return Grid(title, COLUMNS + (PAIR_COLUMNS if pairs else ()), rows)


def unseen(title: str, changes: Mapping[str, Mapping[str, float]]) -> Grid:
    rows = []
    for router, by_task in changes.items():
        worst = min(by_task, key=lambda task: by_task[task])
        rows.append([router, f"{fmean(by_task.values()):+.3f}", f"{by_task[worst]:+.3f}", worst])
    return Grid(title, ("router", "mean change", "worst change", "worst task"), rows)


def shares(title: str, stayed: Mapping[str, Mapping[str, float]]) -> Grid:
    noises = list(next(iter(stayed.values()), {}))
    rows = [[router, *(f"{by_noise[noise]:.3f}" for noise in noises)] for router, by_noise in stayed.items()]
    return Grid(title, ("router", *noises), rows)


def milliseconds(title: str, times: Mapping[str, float]) -> Grid:
    return Grid(title, ("router", "p50 ms"), [[router, f"{value:.3f}"] for router, value in times.items()])


def _spread(runs: Sequence[Run], value: Callable[[Run], float | None]) -> str:
    values = [found for run in runs if (found := value(run)) is not None]
    if not values:
        return "-"
    mean, deviation = mean_and_deviation(values)
    return f"{mean:.3f} ± {deviation:.3f}"


def _plain(values: Sequence[float | None], form: str) -> str:
    found = [value for value in values if value is not None]
    return format(fmean(found), form) if found else "-"
