"""Quotas as an operator writes them: in the YAML or through the API, strictly checked, and turned into rules.

```yaml
- {scope: {team: A}, limit: 50, unit: usd, window: day, zone: UTC}
```
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from routeiq_governance.identity.durations import DURATION
from routeiq_governance.quotas.rule import Failure, Rule, Unit
from routeiq_governance.quotas.windows import NANO, SECONDS, Calendar, Every, Forever, Rolling, Window

DIMENSIONS = ("org", "team", "user", "key", "customer", "model", "provider", "tag", "route")
_SEVERAL = ("tag", "provider")
"""A request has several of them, and each counts on its own under `*`."""
_SUBJECTS = {"org": "organization", "key": "api_key", "customer": "end_user"}
_MOST_EXACT = 9_000_000_000_000_000
"""A sliding count multiplies its amounts, which stay exact below 2^53."""


class Policy(BaseModel):
    """One quota."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]{1,64}$", description="Its name in errors and events.")
    scope: Mapping[Literal["org", "team", "user", "key", "customer", "model", "provider", "tag", "route"], str] = Field(
        default_factory=dict,
        description="Whom it bounds: values by dimension, `*` for each on its own; empty bounds all together.",
    )
    limit: Annotated[Decimal, Field(ge=0, le=Decimal(9_000_000_000_000_000), allow_inf_nan=False)] = Field(
        description="The most: US dollars for `usd`, else a whole number."
    )
    unit: Unit = Field(description="What is counted.")
    window: str | None = Field(
        None, description="minute, hour, day, week, month, or a duration such as 30d; absent: for ever."
    )
    zone: str = Field("UTC", description="IANA time zone of calendar windows.")
    rolling: bool = Field(False, description="Whether the window slides instead of following the calendar.")
    burst: Annotated[int, Field(ge=1)] | None = Field(
        None, description="For requests: this many may come at once, then evenly spread (GCRA)."
    )
    soft: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (), description="Parts of the limit at which an event is sent, such as 0.8."
    )
    mode: Literal["enforce", "shadow"] = Field(
        "enforce", description="Whether it refuses, or only tells that it would."
    )
    overrun: Literal["deny"] = Field("deny", description="What happens to a request beyond the limit: it is refused.")
    on_store_failure: Failure = Field(
        "closed", description="While the store is away: refuse, pass a part in each process, or pass (never for money)."
    )

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no IANA time zone; write one such as Europe/Berlin or UTC") from None
        return value

    @model_validator(mode="after")
    def _sense(self) -> Policy:
        length = self.window
        if length is not None and length not in SECONDS and not DURATION.fullmatch(length):
            raise ValueError("window: write minute, hour, day, week, month, or a duration such as 30d")
        if any(not value.strip() for value in self.scope.values()):
            raise ValueError("scope: a value is empty; write a name or '*'")
        if self.unit != "usd" and self.limit != self.limit.to_integral_value():
            raise ValueError(f"limit: {self.unit} are counted in whole numbers")
        if self.unit == "usd" and self.limit > 9_000_000_000:
            raise ValueError("limit: at most 9,000,000,000 US dollars")
        if self.unit == "concurrent" and (length is not None or self.rolling):
            raise ValueError("window: calls at once have none")
        if self.rolling and length is None:
            raise ValueError("rolling: a rolling quota needs a window")
        if self.rolling and self.amount > _MOST_EXACT:
            raise ValueError("limit: a rolling quota takes at most 9,000,000 US dollars")
        if self.burst is not None and (self.unit != "requests" or length not in SECONDS):
            raise ValueError("burst: only for requests a minute, hour, day, week or month")
        if self.unit == "usd" and self.on_store_failure != "closed":
            raise ValueError("on_store_failure: money is refused while the store is away; leave it out")
        return self

    @property
    def amount(self) -> int:
        """The limit in the unit's integers."""
        exact = self.limit * NANO if self.unit == "usd" else self.limit
        return int(exact.to_integral_value(rounding="ROUND_FLOOR"))

    @property
    def name(self) -> str:
        """Its id, or one made from what it says."""
        if self.id is not None:
            return self.id
        told = json.dumps(self.model_dump(mode="json", exclude={"id", "limit"}), sort_keys=True)
        return "p-" + hashlib.sha256(told.encode()).hexdigest()[:12]


def read_policy(written: Mapping[str, Any]) -> Policy:
    """A policy as written. Raises `ValueError` whose text says what is wrong, field first."""
    try:
        return Policy.model_validate(dict(written))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{place}: {said}" if place else said) from None


@dataclass(frozen=True, slots=True)
class Compiled:
    """A policy ready to be asked."""

    policy: Policy
    window: Window

    def rules(self, told: Mapping[str, tuple[str, ...]], fixed: Mapping[str, str]) -> list[Rule]:
        """Its rules for a request: `told` are the request's values by dimension (ids and aliases), `fixed` the one
        value a dimension is counted by. None when it does not bound the request; one a value under `tag: "*"` or
        `provider: "*"`."""
        found: list[dict[str, str]] = [{}]
        for dimension, wanted in self.policy.scope.items():
            have = told.get(dimension, ())
            if not have or (wanted != "*" and wanted not in have):
                return []
            if wanted != "*":
                values: tuple[str, ...] = (wanted,)
            elif dimension in _SEVERAL:
                values = have
            else:
                values = (fixed.get(dimension, have[0]),)
            found = [{**each, dimension: value} for each in found for value in values]
        return [self._rule(each) for each in found]

    def _rule(self, values: Mapping[str, str]) -> Rule:
        policy = self.policy
        shown = ",".join(f"{name}={value}" for name, value in values.items())
        first = next(iter(values), None)
        return Rule(
            id=f"{policy.name}[{shown}]",
            subject=_SUBJECTS.get(first, first) if first is not None else "global",
            value=values[first] if first is not None else "everybody",
            unit=policy.unit,
            limit=policy.amount,
            window=self.window,
            enforced=policy.mode == "enforce",
            burst=policy.burst,
            soft=policy.soft,
            on_store_failure=policy.on_store_failure,
            model=values.get("model"),
            provider=values.get("provider"),
            scope=values,
            measure=f":{policy.unit}:{policy.window or 'ever'}",
            seeded=policy.unit != "concurrent"
            and not policy.rolling
            and policy.burst is None
            and policy.window not in ("minute", "hour"),
        )


def compiled(policy: Policy, created_at: int = 0) -> Compiled:
    """The policy with its window. A duration counts from `created_at` (Unix ns)."""
    window: Window
    if policy.window is None:
        window = Forever()
    elif policy.window not in SECONDS:
        window = Every(policy.window, created_at)
    elif policy.rolling or policy.burst is not None:
        window = Rolling(SECONDS[policy.window])
    else:
        window = Calendar(policy.window, ZoneInfo(policy.zone))  # type: ignore[arg-type]
    if policy.rolling and policy.window is not None and policy.window not in SECONDS:
        number, unit = DURATION.fullmatch(policy.window).groups()  # type: ignore[union-attr]
        each = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "mo": 2_592_000}[unit]
        window = Rolling(int(number) * each)
    return Compiled(policy, window)
