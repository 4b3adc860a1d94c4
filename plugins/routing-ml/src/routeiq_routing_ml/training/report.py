"""The report of a training: one HTML file that needs nothing else, with figures, tables and the facts.

What it tells is measured by the trainer and in `studies`; figures are drawn in `plots`.
"""

from __future__ import annotations

import html
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Final

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.artifact.manifest import Manifest
from routeiq_routing_ml.config import PROFILES
from routeiq_routing_ml.model.calibration import reliability
from routeiq_routing_ml.training import metrics, plots, studies
from routeiq_routing_ml.training.evaluate import by_task
from routeiq_routing_ml.training.metrics import Outcome
from routeiq_routing_ml.training.trainer import Progress, Trained, silent
from routeiq_sdk import Embedder

_LIBRARIES: Final = ("routeiq-routing-ml", "numpy", "scikit-learn")
_MOST_TASKS: Final = 60
_CSS: Final = """
:root { color-scheme: light; }
body { font: 15px/1.55 system-ui, sans-serif; color: #1f2937; background: #fff; max-width: 920px; margin: 32px auto;
       padding: 0 24px; }
h1 { font-size: 25px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 38px 0 6px; }
p { margin: 6px 0 12px; max-width: 76ch; } .note { color: #64748b; font-size: 13.5px; }
.tiles { display: grid; grid-template-columns: repeat(5, 1fr); gap: 12px; margin: 22px 0 8px; }
.tile { border: 1px solid #e2e8f0; border-radius: 8px; padding: 10px 14px; }
.tile b { display: block; font-size: 22px; font-weight: 600; color: #0f766e; }
.tile span { color: #64748b; font-size: 13px; line-height: 1.3; display: block; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 28px; }
svg { width: 100%; height: auto; display: block; } svg text { font-family: system-ui, sans-serif !important; }
table { border-collapse: collapse; width: 100%; margin: 10px 0; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; color: #64748b; border-bottom: 1px solid #cbd5e1; padding: 4px 8px; }
td { text-align: right; border-bottom: 1px solid #eef2f6; padding: 4px 8px; }
th.left, td.left { text-align: left; overflow-wrap: anywhere; }
tr.best td { font-weight: 600; } .up { color: #0f766e; } .down { color: #be123c; }
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the report names beside the figures. `data` says what was read, `plain` how the stand-in does."""

    manifest: Manifest
    data: str
    seed: int
    embedder: str
    plain: Outcome | None


def render(
    trained: Trained,
    facts: Facts,
    embedded: NDArray[np.float32] | None = None,
    asked: Embedder | None = None,
    progress: Progress = silent,
) -> bytes:
    """The page. `embedded` (n, e) are the vectors of the training texts, `asked` the embedder that made them."""
    learned = studies.learning_curve(trained, embedded, progress)
    disturbed = studies.robustness(trained, embedded, asked, progress)
    parts = [
        *_head(trained, facts),
        *_quality_cost(trained),
        *_tasks(trained),
        *_trust(trained, learned),
        *_robustness(*disturbed),
        *_facts(trained, facts),
    ]
    title = f"Router {facts.manifest.strategy}"
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f"<style>{_CSS}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )
    return page.encode("utf-8", "replace")


def _head(trained: Trained, facts: Facts) -> Iterator[str]:
    outcome, best = trained.outcome, trained.router.models[trained.router.default]
    yield f"<h1>Router {_text(facts.manifest.strategy)}</h1>"
    yield (
        f'<p class="note">{_text(facts.manifest.created)}, {len(trained.table)} queries, '
        f"{len(trained.router.models)} models. Each query was judged by a fit that had not seen it.</p>"
    )
    tiles = (
        (f"{outcome.quality:.3f}", "quality of the answers"),
        (f"{outcome.quality - outcome.best_single:+.3f}", "against always calling the best single model"),
        (f"{outcome.gap:.1%}", "of the gap to the oracle closed"),
        (f"{outcome.save:.1%}", "of the cost saved at the best single model's quality"),
        (f"{outcome.d_aiq:+.3f}", "area gained over the Zero router (d_aiq)"),
    )
    shown = "".join(f'<div class="tile"><b>{value}</b><span>{text}</span></div>' for value, text in tiles)
    yield f'<div class="tiles">{shown}</div>'
    yield f"<p>The best single model is <b>{_text(best)}</b>; it is called when nothing is clearly better.</p>"
    if facts.plain is not None:
        yield (
            f"<p>When vectors of {_text(facts.embedder)} are late or missing, a stand-in decides; "
            f"it closes {facts.plain.gap:.1%} of the gap.</p>"
        )


def _quality_cost(trained: Trained) -> Iterator[str]:
    table, router = trained.table, trained.router
    singles = metrics.single_models(table.quality, table.cost)
    oracle = metrics.hull(metrics.curve(table.quality, table.cost, table.quality, table.cost))
    chosen = _chosen(trained)
    zero = metrics.zero_router(table.quality, table.cost)
    yield "<h2>Quality and cost</h2>"
    yield plots.quality_cost(trained.curve, singles, zero, oracle, profile_points(trained))
    yield "<h2>Who is called</h2>"
    yield "<p>The share of queries that each profile sends to each model, by its number in the table.</p>"
    counts = {profile: np.bincount(columns, minlength=len(router.models)) for profile, columns in chosen.items()}
    parts = {profile: found / len(table) for profile, found in counts.items()}
    yield plots.shares(parts)
    rows = [
        (
            str(number + 1),
            _text(model),
            f"{singles[number, 1]:.3f}",
            f"{1000 * singles[number, 0]:.4g}",
            *(f"{parts[profile][number]:.1%}" for profile in parts),
        )
        for number, model in enumerate(router.models)
    ]
    columns = ("no.", "model", "quality", "$ a 1000 queries", *parts)
    yield _table(columns, rows, left=(1,), best=router.default)


def profile_points(trained: Trained) -> dict[str, tuple[float, float]]:
    """Profile -> mean (cost in US dollars, quality) that it reaches on queries its folds had not seen."""
    table = trained.table
    return {profile: metrics.point(columns, table.quality, table.cost) for profile, columns in _chosen(trained).items()}


def _chosen(trained: Trained) -> dict[str, NDArray[np.intp]]:
    policy = trained.settings.policy
    policies = {
        profile: replace(policy, weight=trained.weights.get(profile, 0.0), floor=profile == "floor")
        for profile in PROFILES
    }
    return {profile: one.choose(trained.unseen, trained.router.default) for profile, one in policies.items()}


def _tasks(trained: Trained) -> Iterator[str]:
    yield "<h2>By task</h2>"
    chosen = trained.settings.policy.choose(trained.unseen, trained.router.default)
    found = by_task(trained.table, chosen, trained.router.default)
    if not found:
        yield '<p class="note">The data names no tasks.</p>'
        return
    rows = [
        (
            _text(task) or "none",
            str(queries),
            f"{got:.3f}",
            f"{single:.3f}",
            _signed(got - single),
        )
        for task, (queries, got, single) in sorted(found.items(), key=lambda item: -item[1][0])[:_MOST_TASKS]
    ]
    yield _table(("task", "queries", "router", "best single model", "difference"), rows)
    if len(found) > _MOST_TASKS:
        yield f'<p class="note">The {_MOST_TASKS} largest of {len(found)} tasks.</p>'


def _trust(trained: Trained, learned: dict[str, list[tuple[int, float]]]) -> Iterator[str]:
    bins, error = reliability(trained.unseen.quality, trained.table.quality)
    names = " and ".join(learned)
    yield '<div class="two"><div><h2>Calibration</h2>'
    yield f"<p>Predicted qualities mean what they say where the line is straight. Mean distance: {error:.3f}.</p>"
    yield plots.calibration(bins)
    yield "</div><div><h2>Learning curve</h2>"
    yield f"<p>What more data would bring, seen with {_text(names)}: a curve that still rises asks for more.</p>"
    yield plots.learning(learned)
    yield "</div></div>"


def _robustness(count: int, unchanged: dict[str, float]) -> Iterator[str]:
    yield "<h2>Robustness</h2>"
    yield f"<p>{count} training prompts were disturbed. The share of decisions that stayed the same:</p>"
    yield _table(("noise", "unchanged"), [(_text(name), f"{share:.1%}") for name, share in unchanged.items()])


def _facts(trained: Trained, facts: Facts) -> Iterator[str]:
    manifest, policy = facts.manifest, trained.settings.policy
    weights = ", ".join(f"{profile} {weight:.4g}" for profile, weight in trained.weights.items())
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    told = (
        ("data", facts.data),
        ("different queries", str(len(trained.table))),
        ("strategy", manifest.strategy),
        ("embedder", facts.embedder),
        ("dimensions", str(manifest.features["dimensions"])),
        ("seed", str(facts.seed)),
        ("margin, and more on prompts of a new kind", f"{policy.margin:g}, {policy.new_margin:g}"),
        ("weight of cost by profile (lambda, quality a US dollar)", weights),
        ("training took", f"{manifest.metrics['seconds']} s"),
        ("version of the artifact", str(manifest.version)),
        ("expires", manifest.expires or "never"),
        ("software", f"Python {platform.python_version()}, {versions}"),
    )
    yield "<h2>Facts</h2>"
    yield _table(("", ""), [(_text(name), _text(value)) for name, value in told], left=(0, 1))


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,), best: int | None = None
) -> str:
    """Cells are HTML already."""

    def cells(kind: str, row: Sequence[str]) -> str:
        side = dict.fromkeys(left, ' class="left"')
        return "".join(f"<{kind}{side.get(place, '')}>{cell}</{kind}>" for place, cell in enumerate(row))

    head = f"<thead><tr>{cells('th', columns)}</tr></thead>" if any(columns) else ""
    marked = {best: ' class="best"'}
    body = "".join(f"<tr{marked.get(number, '')}>{cells('td', row)}</tr>" for number, row in enumerate(rows))
    return f"<table>{head}<tbody>{body}</tbody></table>"


def _signed(difference: float) -> str:
    shown = f"{difference:+.3f}"
    if float(shown) == 0:
        return shown.replace("-", "+")
    return f'<span class="{"up" if difference > 0 else "down"}">{shown}</span>'


def _text(text: str) -> str:
    """Any text as HTML that shows it: escaped, without control characters."""
    return html.escape("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text))
