"""One measured burst: load on one contender, and the CPU its process tree spent a request.
Also what else the machine did meanwhile, so that a disturbed run can be seen. No verdicts here."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.arena import LOAD_CORE, Running
from bench.contenders import MODEL
from bench.load import Answered, Load, run_wrk
from bench.processes import ProcessTree, machine_busy_seconds

BAD_SHARE_ALLOWED = 0.001
# Requests in flight at the end of a burst cost CPU but are not counted: with fewer rounds than this a slow
# contender would look slower than it is.
ROUNDS_PER_CONNECTION = 10
LONGEST_STRETCH = 5


@dataclass(frozen=True)
class Burst:
    """CPU in microseconds a request; `core_use` and `foreign_cores` in cores; memory in MiB."""

    contender: str
    load: str
    requests: int
    rps: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    core_use: float
    foreign_cores: float
    bad: int
    bytes_per_request: float
    tree_pss_mib: float

    @property
    def valid(self) -> bool:
        """Cheap errors must not pass for fast answers."""
        return self.requests > 0 and self.bad <= self.requests * BAD_SHARE_ALLOWED

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "valid": self.valid}


def burst_seconds(asked: int, load: Load, expected_rps: float) -> int:
    """Long enough for a slow contender to answer each connection several times; never beyond a few times `asked`."""
    needed = math.ceil(ROUNDS_PER_CONNECTION * load.concurrency / max(expected_rps, 0.1))
    return max(asked, min(needed, LONGEST_STRETCH * asked))


def _own_cpu_seconds() -> float:
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def load_contender(target: Running, load: Load, seconds: int) -> Answered:
    return run_wrk(target.port, load, seconds, core=LOAD_CORE, model=MODEL, headers=target.headers)


def measure(target: Running, load: Load, seconds: int, bystanders: Sequence[ProcessTree]) -> Burst:
    """`bystanders` are the other processes of the bench: their CPU is neither the contender's nor foreign."""

    def sample() -> tuple[float, float, float]:
        ours = _own_cpu_seconds() + sum(tree.cpu_seconds() for tree in bystanders)
        return target.tree.cpu_seconds(), ours, machine_busy_seconds()

    target.tree.settle()
    began = time.monotonic()
    spent, ours, busy = sample()
    answered = load_contender(target, load, seconds)
    spent_after, ours_after, busy_after = sample()
    elapsed = time.monotonic() - began
    cpu = spent_after - spent
    count = max(answered.requests, 1)
    burst = Burst(
        contender=target.contender.name,
        load=str(load),
        requests=answered.requests,
        rps=answered.requests / answered.seconds,
        cpu_us=cpu / count * 1e6,
        p50_ms=answered.p50_ms,
        p99_ms=answered.p99_ms,
        core_use=cpu / elapsed,
        foreign_cores=max(0.0, busy_after - busy - cpu - (ours_after - ours)) / elapsed,
        bad=answered.bad_status + answered.socket_errors,
        bytes_per_request=answered.bytes / count,
        tree_pss_mib=target.tree.memory().tree_pss,
    )
    target.tree.raise_if_ended()
    target.tree.settle()
    return burst
