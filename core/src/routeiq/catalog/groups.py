"""Names to deployments: groups, aliases, wildcards.

Which of a group's deployments is called is decided in `routeiq.request.choice`.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from routeiq_sdk import Deployment, ModelGroup

_MOST_EXPANDED = 1024


@dataclass(frozen=True, slots=True)
class Listed:
    """A name that clients may ask for, as `/v1/models` shows it."""

    name: str
    group: ModelGroup | None


class Catalog:
    """The models of one runtime."""

    def __init__(
        self,
        deployments: Iterable[Deployment],
        aliases: Mapping[str, tuple[str, bool]],
        priced: Callable[[Deployment], Deployment],
        known: Callable[[str], Sequence[str]],
    ) -> None:
        """`aliases` maps a name to its target and whether it is hidden; `priced` prices a row that a wildcard made;
        `known` names the models of a provider."""
        rows = _with_unique_ids(tuple(deployments))
        names = dict.fromkeys(d.group for d in rows)
        groups = {name: ModelGroup(name, tuple(d for d in rows if d.group == name)) for name in names}
        self.deployments = rows
        self.groups: Mapping[str, ModelGroup] = {name: g for name, g in groups.items() if "*" not in name}
        self._wildcards = sorted(
            ((re.compile(_pattern(name)), group) for name, group in groups.items() if "*" in name),
            key=lambda item: -len(item[1].name),  # the most specific pattern wins
        )
        self._aliases = dict(aliases)
        self._priced = priced
        self._known = known
        self._expanded: OrderedDict[str, ModelGroup] = OrderedDict()

    def resolve(self, name: str) -> ModelGroup | None:
        """The group that answers to a name: its own, an alias's, or a wildcard's."""
        group = self.groups.get(name)
        if group is not None:
            return group
        alias = self._aliases.get(name)
        if alias is not None:
            return self.groups.get(alias[0]) or self._expand(alias[0])
        return self._expand(name)

    def listed(self) -> list[Listed]:
        """Every name that can be asked for, hidden aliases left out. A provider's plain wildcard (`openai/*`) is shown
        as
        the models that are known of it, others as written."""
        found = [Listed(name, group) for name, group in self.groups.items()]
        for _, group in self._wildcards:
            found += self._listed_wildcard(group)
        found += [Listed(name, self.resolve(name)) for name, (_, hidden) in self._aliases.items() if not hidden]
        return found

    def _listed_wildcard(self, group: ModelGroup) -> list[Listed]:
        prefix, _, rest = group.name.partition("/")
        first = group.deployments[0]
        names = self._known(first.provider) if rest == "*" and first.model == "*" else ()
        shown = [f"{prefix}/{name}" for name in names]
        return [Listed(name, group) for name in shown if name not in self.groups] or [Listed(group.name, group)]

    def _expand(self, name: str) -> ModelGroup | None:
        known = self._expanded.get(name)
        if known is not None:
            return known
        for pattern, group in self._wildcards:
            match = pattern.fullmatch(name)
            if match is not None:
                made = ModelGroup(name, tuple(self._priced(_expanded(d, name, match)) for d in group.deployments))
                self._expanded[name] = made
                if len(self._expanded) > _MOST_EXPANDED:
                    self._expanded.popitem(last=False)
                return made
        return None


def _pattern(name: str) -> str:
    return "(.*)".join(re.escape(part) for part in name.split("*"))


def _expanded(deployment: Deployment, name: str, match: re.Match[str]) -> Deployment:
    """The row for one concrete name: stars of the provider's model take what the stars of the alias matched."""
    model = deployment.model
    for part in match.groups():
        model = model.replace("*", part, 1)
    prefix = deployment.provider + "/"
    if deployment.group == "*" and model.startswith(prefix):
        model = model.removeprefix(prefix)
    return replace(deployment, group=name, model=model)


def _with_unique_ids(rows: tuple[Deployment, ...]) -> tuple[Deployment, ...]:
    """Rows that are alike get a running number, so that each id names one row."""
    seen: Counter[str] = Counter()
    out = []
    for row in rows:
        seen[row.id] += 1
        out.append(row if seen[row.id] == 1 else replace(row, id=f"{row.id}-{seen[row.id]}"))
    return tuple(out)
