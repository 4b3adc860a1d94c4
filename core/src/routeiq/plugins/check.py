"""A rehearsal: loads all plugins that a configuration asks for, and reports every problem instead of the first.

Nothing is set up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from routeiq.config.model import Config
from routeiq.installed import releases
from routeiq.installed.start_up import start_up_code
from routeiq.plugins.discover import Found, claimants, scan
from routeiq.plugins.lifecycle import placed
from routeiq.plugins.load import Examined, construct, examine
from routeiq.plugins.order import order
from routeiq.plugins.policy import read_policy
from routeiq.plugins.select import Selected, check_names, notice_of_absence, select
from routeiq_sdk import RouteIQError


@dataclass(slots=True)
class Checked:
    """How far one plugin came: the rungs it passed, its hooks, and what stopped it."""

    name: str
    distribution: str | None = None
    version: str | None = None
    passed: list[str] = field(default_factory=list)
    hooks: list[str] = field(default_factory=list)
    problem: str | None = None


@dataclass(slots=True)
class Report:
    """All plugins with the order of those that are sound, notices, problems of the order, refused releases, and the
    files that run code at each start of Python."""

    plugins: list[Checked]
    order: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    order_problems: list[str] = field(default_factory=list)
    refused_releases: list[str] = field(default_factory=list)
    start_up_code: list[dict[str, str]] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Everything that would stop the start."""
        return self.refused_releases + [one.problem for one in self.plugins if one.problem] + self.order_problems

    def as_dict(self) -> dict[str, Any]:
        """For printing as JSON."""
        return {**asdict(self), "ok": not self.problems}


def check_plugins(config: Config) -> Report:
    """Check everything. Raises `ConfigError` for an allow-list that cannot be read. Beside a refused release no plugin
    is imported."""
    founds = scan()
    selection = select(config.routeiq.plugins, config.routeiq.profile)
    policy = read_policy(config.routeiq.plugin_policy.allow, config.positions)
    report = Report([], refused_releases=[str(problem) for problem in releases.problems()])
    for one in start_up_code():
        told = {"path": str(one.path), "verdict": one.verdict, "says": one.says, "sha256": one.sha256}
        report.start_up_code.append({**told, "mend": one.mend})
        if one.verdict != "known":
            report.notices.append(f"{one} ({one.verdict}). {one.mend}")
    if report.refused_releases:
        return report
    sound: list[tuple[Selected, Examined]] = []
    for selected in selection:
        claims = claimants(selected.name, founds)
        if not claims and not selected.required:
            report.notices.append(notice_of_absence(selected.name))
            continue
        checked = _begun(selected, claims)
        report.plugins.append(checked)
        try:
            examined = examine(
                selected,
                founds,
                policy=policy,
                positions=config.positions,
                document=config.written,
                passed=checked.passed.append,
            )
            construct(examined, passed=checked.passed.append)
        except RouteIQError as error:
            checked.problem = str(error)
        else:
            checked.hooks = [hook.spec.name for hook in examined.hooks]
            sound.append((selected, examined))
    try:
        check_names(selection, (found.name for found in founds), config.positions)
        report.order = list(order([placed(selected, examined) for selected, examined in sound]))
    except RouteIQError as error:
        report.order_problems.append(str(error))
    return report


def _begun(selected: Selected, claims: Iterable[Found]) -> Checked:
    first = next(iter(claims), None)
    if first is None:
        return Checked(selected.name)
    return Checked(selected.name, first.distribution, first.version)
