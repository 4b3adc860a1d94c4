"""Metrics as text: Prometheus' format 0.0.4, and OpenMetrics 1.0 with exemplars for who asks for it.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and OpenMetrics 1.0 (IETF draft). What the numbers
are is worked out here from rows; where the rows come from is `page`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from routeiq_prometheus.exemplars import Exemplar
from routeiq_prometheus.families import Family, Labels
from routeiq_prometheus.metric import Cells, Metric, Scene, Source

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_MOST_KEPT = 100_000
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\"", "\r": "", "\u2028": "", "\u2029": ""})
"""Line separators that no format escapes are left out."""

FindExemplar = Callable[[Family, Labels, int], Exemplar | None]
"""The exemplar of a cell in the row of a family with these labels."""


def wants_openmetrics(accept: str) -> bool:
    """Whether an Accept header asks for OpenMetrics, in a version that we speak."""
    for offered in accept.lower().split(","):
        media, *parameters = (part.strip() for part in offered.split(";"))
        versions = [p.partition("=")[2].strip('" ') for p in parameters if p.startswith("version=")]
        if media == "application/openmetrics-text" and (not versions or versions[0] in ("1.0.0", "0.0.1")):
            return True
    return False


class Exposition:
    """Writes metrics. What labels look like is remembered from one reading to the next."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.metrics = tuple(metrics)
        self._views: dict[Family, dict[Labels, Mapping[str, str]]] = {}
        self._texts: dict[tuple[object, ...], dict[Labels, str]] = {}
        self._shown = {
            (metric.name, place): self._texts.setdefault(_projection(metric, source), {})
            for metric in self.metrics
            for place, source in enumerate(metric.sources)
        }
        self._bounds = {
            metric.name: [f'le="{float(bound)!r}"' for bound in metric.buckets.bounds] + ['le="+Inf"']
            for metric in self.metrics
            if metric.buckets is not None
        }

    def write(self, scene: Scene, *, openmetrics: bool, exemplar: FindExemplar) -> str:
        """All metrics, with a head each even when they have no values yet."""
        self._forget_some()
        lines: list[str] = []
        for metric in self.metrics:
            family = metric.name.removesuffix("_total") if openmetrics else metric.name
            lines.append(f"# HELP {family} {metric.help}")
            lines.append(f"# TYPE {family} {metric.kind}")
            if metric.computed is not None:
                lines += self._computed(metric, scene)
            elif metric.buckets is not None:
                find = exemplar if openmetrics and metric.exemplars else None
                lines += self._histogram(metric, scene, find)
            else:
                lines += self._summed(metric, scene)
        lines.append("# EOF\n" if openmetrics else "")
        return "\n".join(lines)

    def _computed(self, metric: Metric, scene: Scene) -> Iterator[str]:
        assert metric.computed is not None
        for values, number in metric.computed(scene):
            labels = _labels(metric, values)
            yield f"{metric.name}{{{labels}}} {_number(number)}" if labels else f"{metric.name} {_number(number)}"

    def _summed(self, metric: Metric, scene: Scene) -> Iterator[str]:
        """Values of 0 are left out, except where the label sets are known beforehand, and where they are wanted."""
        sums = {
            _labels(metric, [source.fixed[label] for label in metric.labels]): 0.0
            for source in metric.sources
            if len(source.fixed) == len(metric.labels)
        }
        for place, source in enumerate(metric.sources):
            cell = source.cell
            for _, labels, cells in self._rows(metric, place, source, scene):
                value = cells[cell]
                if value or metric.zeros:
                    sums[labels] = sums.get(labels, 0.0) + value
        for labels, value in sums.items():
            number = _number(value * metric.scale if metric.scale != 1.0 else value)
            yield f"{metric.name}{{{labels}}} {number}" if labels else f"{metric.name} {number}"

    def _histogram(self, metric: Metric, scene: Scene, exemplar: FindExemplar | None) -> Iterator[str]:
        buckets, (source,) = metric.buckets, metric.sources
        assert buckets is not None
        start, end = buckets.at, buckets.at + buckets.width
        sums: dict[str, list[float]] = {}
        marks: dict[tuple[str, int], Exemplar] = {}
        for raw, labels, cells in self._rows(metric, 0, source, scene):
            part = cells[start:end]
            if not any(part[:-1]):
                continue
            known = sums.get(labels)
            sums[labels] = list(part) if known is None else [a + b for a, b in zip(known, part, strict=True)]
            if exemplar is not None:
                for number in range(buckets.width - 1):
                    found = exemplar(source.family, raw, start + number) if part[number] else None
                    if found is not None and ((labels, number) not in marks or marks[labels, number].at < found.at):
                        marks[labels, number] = found
        for labels, cells in sums.items():
            yield from self._buckets(metric, labels, cells, marks)

    def _buckets(
        self, metric: Metric, labels: str, cells: Cells, marks: Mapping[tuple[str, int], Exemplar]
    ) -> Iterator[str]:
        count = 0.0
        before = f"{labels}," if labels else ""
        for number, bound in enumerate(self._bounds[metric.name]):
            count += cells[number]
            line = f"{metric.name}_bucket{{{before}{bound}}} {_number(count)}"
            mark = marks.get((labels, number))
            if mark is not None:
                line += f' # {{trace_id="{mark.trace_id}"}} {mark.value!r} {mark.at / 1e9:.3f}'
            yield line
        around = f"{{{labels}}}" if labels else ""
        yield f"{metric.name}_count{around} {_number(count)}"
        yield f"{metric.name}_sum{around} {_number(cells[-1])}"

    def _rows(self, metric: Metric, place: int, source: Source, scene: Scene) -> Iterator[tuple[Labels, str, Cells]]:
        """Rows that the source wants, each with its labels, those of the metric as text, and its cells."""
        where, family, shown = source.where, source.family, self._shown[metric.name, place]
        for raw, cells in scene.rows.get(family, {}).items():
            if where is not None and not where(self._view(family, raw)):
                continue
            text = shown.get(raw)
            if text is None:
                row = self._view(family, raw)
                text = shown[raw] = _labels(metric, [source.value(row, label) for label in metric.labels])
            yield raw, text, cells

    def _view(self, family: Family, raw: Labels) -> Mapping[str, str]:
        views = self._views.setdefault(family, {})
        view = views.get(raw)
        if view is None:
            view = views[raw] = dict(zip(family.labels, raw, strict=True))
        return view

    def _forget_some(self) -> None:
        """Rows of workers that are gone would be remembered for ever."""
        for views in self._views.values():
            if len(views) > _MOST_KEPT:
                views.clear()
        for texts in self._texts.values():
            if len(texts) > _MOST_KEPT:
                texts.clear()


def _projection(metric: Metric, source: Source) -> tuple[object, ...]:
    """What the text of labels depends on beside the row: metrics that agree in it share their texts."""
    named, fixed = tuple(source.named.items()), tuple(source.fixed.items())
    return source.family, metric.labels, metric.absent, named, fixed


def _labels(metric: Metric, values: Sequence[str]) -> str:
    absent = metric.absent
    return ",".join(
        f'{label}="{_escaped(value or absent)}"' for label, value in zip(metric.labels, values, strict=True)
    )


def _escaped(value: str) -> str:
    return value.translate(_ESCAPES)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
