"""The figures of a report, as SVG that stands in HTML: no script, no font, no address of anything outside.

What the figures show is computed elsewhere; models are numbered, so that no name gets into a figure.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from routeiq_routing_ml.scorers.base import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROUTER, SINGLE, ZERO, ORACLE, INK = "#0f766e", "#64748b", "#94a3b8", "#d97706", "#1f2937"
_PROFILE: Final = "#be123c"
_SHARES: Final = ("#0f766e", "#d97706", "#4f46e5", "#be123c", "#65a30d", "#0284c7", "#a21caf", "#854d0e", "#475569")
_STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#cbd5e1",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#eef2f6",
    "xtick.color": SINGLE,
    "ytick.color": SINGLE,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_HALO: Final = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
_WIDE_RANGE: Final = 20


def quality_cost(
    curve: Floats, singles: Floats, zero: Floats, oracle: Floats, profiles: Mapping[str, tuple[float, float]]
) -> str:
    """The router's curve, always one model, mixing without knowledge, the oracle; points are (dollars, quality)."""
    with _figure("curve", (9.2, 4.6)) as (axes, svg):
        thousand = np.array([1000.0, 1.0])
        own = (curve * thousand)[np.argsort(curve[:, 0], kind="stable")]
        axes.plot(*(zero * thousand).T, "--", color=ZERO, label="Zero router (mixing the models blindly)")
        axes.plot(*(oracle * thousand).T, ":", color=ORACLE, linewidth=2, label="oracle (knows the answers)")
        axes.plot(*own.T, "-", color=ROUTER, linewidth=2.2, label="router, over all weights of cost")
        axes.plot(*(singles * thousand).T, "o", color=SINGLE, markersize=6, label="always one model, by number")
        _numbers(axes, singles * thousand)
        for place, (cost, quality) in enumerate(profiles.values()):
            label = "profiles" if place == 0 else None
            axes.plot(cost * 1000, quality, "D", color=_PROFILE, markersize=7, zorder=5, label=label)
        _names(axes, {name: (cost * 1000, quality) for name, (cost, quality) in profiles.items()})
        dollars = np.concatenate([singles[:, 0], curve[:, 0]])
        if dollars.min() > 0 and dollars.max() > _WIDE_RANGE * dollars.min():
            axes.set_xscale("log")
        axes.set_xlabel("US dollars a thousand queries")
        axes.set_ylabel("mean quality")
        axes.legend(loc="lower right", frameon=False)
    return svg()


def calibration(bins: Sequence[tuple[float, float, int]]) -> str:
    """Predicted against actual quality, in bins of equal count."""
    with _figure("calibration", (4.5, 3.6)) as (axes, svg):
        axes.plot([0, 1], [0, 1], "--", color=ZERO)
        axes.plot([told for told, _, _ in bins], [true for _, true, _ in bins], "o-", color=ROUTER)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel("predicted quality")
        axes.set_ylabel("actual quality")
    return svg()


def learning(curves: Mapping[str, Sequence[tuple[int, float]]]) -> str:
    """The share of the gap closed, by the number of training queries."""
    with _figure("learning", (4.5, 3.6)) as (axes, svg):
        for (name, points), color in zip(curves.items(), (ROUTER, ORACLE), strict=False):
            axes.plot([size for size, _ in points], [100 * gap for _, gap in points], "o-", color=color, label=name)
        axes.axhline(0, color=ZERO, linestyle="--")
        axes.set_xscale("log", base=2)
        sizes = sorted({size for points in curves.values() for size, _ in points})
        axes.set_xticks(sizes, [str(size) for size in sizes], rotation=35)
        axes.minorticks_off()
        axes.set_xlabel("training queries")
        axes.set_ylabel("gap to the oracle closed, %")
        axes.legend(frameon=False)
    return svg()


def shares(by_profile: Mapping[str, Floats]) -> str:
    """Which models (by number) each profile chooses, as bars that add up to all queries."""
    with _figure("shares", (9.2, 0.6 + 0.5 * len(by_profile))) as (axes, svg):
        for row, share in enumerate(by_profile.values()):
            left = 0.0
            for model, part in enumerate(share):
                color = _SHARES[model % len(_SHARES)]
                axes.barh(row, 100 * part, left=left, height=0.66, color=color, edgecolor="white")
                if part > 0.03:
                    middle = left + 50 * part
                    axes.text(middle, row, str(model + 1), ha="center", va="center", color="white", fontsize=9)
                left += 100 * part
        axes.set_yticks(range(len(by_profile)), list(by_profile))
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("share of queries, %")
    return svg()


def _numbers(axes: Axes, points: Floats) -> None:
    """Number the points; those at one place share one label."""
    at: dict[tuple[float, float], list[str]] = {}
    scale = np.maximum(np.ptp(points, axis=0), 1e-12)
    for number, point in enumerate(points, start=1):
        near = (round(40 * float(point[0] / scale[0])), round(30 * float(point[1] / scale[1])))
        at.setdefault(near, []).append(str(number))
    first = {numbers[0]: numbers for numbers in at.values()}
    for number, point in enumerate(points, start=1):
        if str(number) in first:
            text = ", ".join(first[str(number)])
            axes.annotate(text, point, (7, -3), textcoords="offset points", color=SINGLE, fontsize=8.5, bbox=_HALO)


def _names(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Name points; those at one place share one label."""
    at: dict[tuple[float, float], list[str]] = {}
    for name, (cost, quality) in points.items():
        at.setdefault((float(f"{cost:.3g}"), round(quality, 3)), []).append(name)
    for point, names in at.items():
        style: dict[str, Any] = {"color": _PROFILE, "ha": "center", "fontsize": 9}
        axes.annotate(", ".join(names), point, (0, 9), textcoords="offset points", **style)


@contextmanager
def _figure(name: str, inches: tuple[float, float]) -> Iterator[tuple[Axes, Callable[[], str]]]:
    """Axes to draw on, and a function that gives the SVG afterwards. The same drawing has the same text."""
    import matplotlib
    from matplotlib.figure import Figure

    drawn: list[str] = []
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=inches, layout="constrained")
        yield figure.add_subplot(), lambda: drawn[0]
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn.append(inline(buffer.getvalue(), name))


def inline(svg: str, name: str) -> str:
    """An SVG file as an element of an HTML page, its ids made unique by `name`."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", body)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'xlink:href="#', f'href="#{name}-', body)
    body = body.replace("url(#", f"url(#{name}-")
    body = re.sub(r'(<svg[^>]*?)\swidth="[^"]*"', r"\1", body, count=1)
    return re.sub(r'(<svg[^>]*?)\sheight="[^"]*"', r"\1", body, count=1)
