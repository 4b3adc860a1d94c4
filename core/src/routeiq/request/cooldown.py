"""Benching of deployments that fail, with LiteLLM's rules: which failures count, which bench at once, for how long.

It knows nothing of requests; the attempt loop tells it how calls ended.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from routeiq_sdk import Deployment
from routeiq_sdk.gateway import Clock

_COUNTED_4XX = frozenset({401, 402, 404, 408, 429})
_RETRYABLE = frozenset({408, 409, 429})
_WINDOW_SECONDS = 60.0
_RATIO_FLOOR = 5
_LONGEST_TOLD_WAIT = 60.0
_MOST_KEPT = 10_000

_Key = tuple[str, str]
"""Id and model: a wildcard's row has one id and many models, and one that does not exist must not bench the rest."""


@dataclass(slots=True)
class _History:
    benched_until: float = 0.0
    calls: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=1000))


@dataclass(frozen=True, slots=True)
class CooldownRules:
    """`router_settings` that govern benching. `allowed_fails` (and the policy by failure class) replace the default
    rules."""

    seconds: float = 5.0
    disabled: bool = False
    allowed_fails: int | None = None
    allowed_fails_policy: Mapping[str, int] = field(default_factory=dict)


class Cooldowns:
    """The bench. One per process; carried over a reload, since a broken provider stays broken."""

    def __init__(self, clock: Clock, rules: CooldownRules) -> None:
        self._clock = clock
        self.rules = rules
        self._history: OrderedDict[_Key, _History] = OrderedDict()

    def keep(self, ids: Sequence[str]) -> None:
        """Forget deployments that are gone."""
        known = set(ids)
        self._history = OrderedDict((key, value) for key, value in self._history.items() if key[0] in known)

    def healthy(self, deployments: Sequence[Deployment]) -> Sequence[Deployment]:
        """Those that are not benched now."""
        history = self._history
        if not history:
            return deployments
        now = self._clock.monotonic()
        return [d for d in deployments if (seen := history.get((d.id, d.model))) is None or seen.benched_until <= now]

    def benched(self) -> dict[str, float]:
        """Seconds until each benched deployment is back, by id."""
        now = self._clock.monotonic()
        found: dict[str, float] = {}
        for (id, _), seen in self._history.items():  # a wildcard's row has one id and many models
            if seen.benched_until > now:
                found[id] = max(found.get(id, 0.0), seen.benched_until - now)
        return found

    def wait(self, deployments: Sequence[Deployment]) -> float:
        """Seconds until the first of them is back."""
        now = self._clock.monotonic()
        ends = [seen.benched_until for d in deployments if (seen := self._history.get((d.id, d.model))) is not None]
        return max(0.0, min(ends, default=now) - now)

    def succeeded(self, deployment: Deployment) -> None:
        """Note a call that worked; only a deployment that failed lately has a history to keep."""
        seen = self._history.get((deployment.id, deployment.model))
        if seen is not None:
            seen.calls.append((self._clock.monotonic(), True))

    def failed(
        self,
        deployment: Deployment,
        name: str,
        status: int,
        *,
        alone: bool,
        retry_after: float | None,
        cooldown: float | None,
    ) -> bool:
        """Note a failure; says whether it benched the deployment. `alone`: the group has no other deployment."""
        if self.rules.disabled or (400 <= status < 500 and status not in _COUNTED_4XX):
            return False
        now = self._clock.monotonic()
        seen = self._history.setdefault((deployment.id, deployment.model), _History())
        if len(self._history) > _MOST_KEPT:
            self._history.popitem(last=False)
        seen.calls.append((now, False))
        if not self._bench(seen, name, status, alone=alone, now=now):
            return False
        told = retry_after if retry_after is not None and 0 < retry_after <= _LONGEST_TOLD_WAIT else None
        seconds = cooldown if cooldown is not None else self.rules.seconds
        seen.benched_until = now + (told or seconds)
        return True

    def _bench(self, seen: _History, name: str, status: int, *, alone: bool, now: float) -> bool:
        recent = [ok for at, ok in seen.calls if now - at <= _WINDOW_SECONDS]
        fails = recent.count(False)
        kind = "TimeoutError" if name == "Timeout" else name
        allowed = self.rules.allowed_fails_policy.get(kind + "AllowedFails", self.rules.allowed_fails)
        if allowed is not None:
            return fails > allowed
        if status == 429 and not alone:
            return True
        if not alone and len(recent) >= _RATIO_FLOOR and fails / len(recent) > 0.5:
            return True
        return 400 <= status < 500 and status not in _RETRYABLE
