"""A target and its verdict: a measured value against what it must be and what it should be.
Which figures have targets is each bench's own knowledge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum


class NotMeasured(LookupError):
    """The value a figure needs is not there; the message says which."""


class Standing(StrEnum):
    GOAL = "goal reached"
    MET = "met"
    MISSED = "MISSED"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Verdict:
    figure: str
    unit: str
    must: float
    goal: float | None
    more_is_better: bool
    value: float | None
    standing: Standing
    note: str = ""

    def wanted(self, bound: float | None) -> str:
        if bound is None:
            return "-"
        return f"{'>=' if self.more_is_better else '<='} {bound:g} {self.unit}"

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Target:
    """What a figure must be and should be; made by `at_least` (more is better) or `at_most`."""

    figure: str
    unit: str
    must: float
    goal: float | None
    more_is_better: bool

    def _reaches(self, value: float, bound: float) -> bool:
        return value >= bound if self.more_is_better else value <= bound

    def judge(self, measure: Callable[[], float]) -> Verdict:
        value, note = None, ""
        try:
            value = measure()
        except NotMeasured as missing:
            standing, note = Standing.NOT_MEASURED, str(missing)
        else:
            if not self._reaches(value, self.must):
                standing = Standing.MISSED
            elif self.goal is not None and self._reaches(value, self.goal):
                standing = Standing.GOAL
            else:
                standing = Standing.MET
        return Verdict(self.figure, self.unit, self.must, self.goal, self.more_is_better, value, standing, note)


def at_least(figure: str, unit: str, must: float, goal: float | None = None) -> Target:
    return Target(figure, unit, must, goal, more_is_better=True)


def at_most(figure: str, unit: str, must: float, goal: float | None = None) -> Target:
    return Target(figure, unit, must, goal, more_is_better=False)
