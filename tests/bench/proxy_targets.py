"""The targets of the proxy bench: ratios between contenders of one run, by CPU per request.
Absolute numbers are never judged here, they move with the machine; how they came about is the bench's business."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bench.measure import Burst
from bench.targets import NotMeasured, Target, Verdict, at_least, at_most

HYPERCORN, FAST_ENGINES = "routeiq-standard", ("routeiq-standard-uvicorn", "routeiq-standard-granian")


class Figures:
    """The bursts of a run, asked by contender and load."""

    def __init__(self, bursts: Iterable[Burst]) -> None:
        self._bursts: dict[tuple[str, str], list[Burst]] = {}
        for burst in bursts:
            self._bursts.setdefault((burst.contender, burst.load), []).append(burst)

    def contenders(self, load: str) -> list[str]:
        return [contender for contender, at in self._bursts if at == load]

    def best(self, contender: str, load: str) -> Burst:
        """The round with the lowest CPU a request: disturbances only ever add."""
        valid = [burst for burst in self.rounds(contender, load) if burst.valid]
        if not valid:
            raise NotMeasured(f"{contender} at {load}")
        return min(valid, key=lambda burst: burst.cpu_us)

    def rounds(self, contender: str, load: str) -> list[Burst]:
        return self._bursts.get((contender, load), [])

    def cpu_ratio(self, above: str, below: str, load: str) -> float:
        spent = self.best(below, load).cpu_us
        if not spent:
            raise NotMeasured(f"{below} at {load}: too little CPU to tell")
        return self.best(above, load).cpu_us / spent

    def quickest(self, contenders: Iterable[str], load: str) -> str:
        """The contender with the lowest CPU a request among those that were measured."""
        seen, missing = [], []
        for contender in contenders:
            try:
                seen.append(self.best(contender, load))
            except NotMeasured as error:
                missing.append(str(error))
        if not seen:
            raise NotMeasured(" and ".join(missing))
        return min(seen, key=lambda burst: burst.cpu_us).contender


def judge(figures: Figures) -> list[Verdict]:
    def fast(load: str) -> str:
        return figures.quickest(FAST_ENGINES, load)

    def extra_p50(contender: str) -> float:
        return figures.best(contender, "1").p50_ms - figures.best("nginx", "1").p50_ms

    cpu = figures.cpu_ratio
    table: list[tuple[Target, Callable[[], float]]] = [
        (at_least("throughput a core over LiteLLM, c=16", "x", 10, 16), lambda: cpu("litellm", HYPERCORN, "16")),
        (at_least("throughput a core over LiteLLM, c=64", "x", 8, 14), lambda: cpu("litellm", HYPERCORN, "64")),
        (
            at_least("throughput a core over LiteLLM, c=16, fast engine", "x", 20, 40),
            lambda: cpu("litellm", fast("16"), "16"),
        ),
        (
            at_least("throughput a core over LiteLLM, c=64, fast engine", "x", 20, 40),
            lambda: cpu("litellm", fast("64"), "64"),
        ),
        (at_least("throughput a core over Portkey, c=16", "x", 1.5, 3), lambda: cpu("portkey", HYPERCORN, "16")),
        (
            at_least("throughput a core over Portkey, c=16, fast engine", "x", 3, 6),
            lambda: cpu("portkey", fast("16"), "16"),
        ),
        (at_most("CPU a request over nginx, c=16", "x", 50, 25), lambda: cpu(HYPERCORN, "nginx", "16")),
        (at_most("CPU a request over nginx, c=16, fast engine", "x", 25, 12), lambda: cpu(fast("16"), "nginx", "16")),
        (at_most("p50 above nginx, c=1", "ms", 1.5, 0.75), lambda: extra_p50(HYPERCORN)),
        (at_most("p50 above nginx, c=1, fast engine", "ms", 1.0, 0.5), lambda: extra_p50(fast("1"))),
        (
            at_least("litellm lane: throughput a core over LiteLLM, c=16", "x", 1.2, 2),
            lambda: cpu("litellm", "routeiq-litellm-lane", "16"),
        ),
        (at_least("streams a core over LiteLLM, c=16", "x", 25, 50), lambda: cpu("litellm", HYPERCORN, "16s")),
        (at_most("CPU a paced stream over Portkey, c=64", "x", 1.0, 0.6), lambda: cpu(HYPERCORN, "portkey", "64p")),
        (
            at_most("CPU a request, default plugins over none, c=16", "x", 1.5, 1.25),
            lambda: cpu(HYPERCORN, "routeiq-minimal", "16"),
        ),
    ]
    return [target.judge(measure) for target, measure in table]
