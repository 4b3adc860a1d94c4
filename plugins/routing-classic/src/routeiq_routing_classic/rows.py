"""Keys of a `model_list` row that the core does not act on: where a deployment carries them, and their checks.

What the keys mean is written in the module of their subject.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from routeiq_routing_classic.durations import checked
from routeiq_sdk import Deployment


def row_key(deployment: Deployment, name: str) -> Any:
    """The value of a key of `model_info` or `litellm_params`; `None` when it is not written."""
    told = deployment.info.get(name)
    return told if told is not None else deployment.params.get(name)


def tag_patterns(deployment: Deployment) -> tuple[re.Pattern[str], ...]:
    """`tag_regex`, compiled. Raises `ValueError` for what is no list of expressions."""
    written = row_key(deployment, "tag_regex")
    if written is None:
        return ()
    if isinstance(written, str):
        written = [written]
    if not isinstance(written, list | tuple) or not all(isinstance(item, str) for item in written):
        raise ValueError("tag_regex: should be a list of regular expressions")
    try:
        return tuple(re.compile(item) for item in written)
    except re.error as error:
        raise ValueError(f"tag_regex: not a regular expression: {error}") from None


def own_budget(deployment: Deployment) -> tuple[Decimal, str] | None:
    """`max_budget` in US dollars and `budget_duration`. Raises `ValueError` when one is missing or wrong."""
    limit, duration = row_key(deployment, "max_budget"), row_key(deployment, "budget_duration")
    if limit is None and duration is None:
        return None
    if limit is None or duration is None:
        raise ValueError("max_budget and budget_duration: write both or neither")
    try:
        dollars = Decimal(str(limit))
    except InvalidOperation:
        raise ValueError("max_budget: should be a number of US dollars") from None
    if isinstance(limit, bool) or not (dollars.is_finite() and 0 <= dollars <= 1_000_000_000):
        raise ValueError("max_budget: should be a number of US dollars that is not negative")
    try:
        return dollars, checked(str(duration))
    except ValueError as error:
        raise ValueError(f"budget_duration: {error}") from None


def problems(deployments: Iterable[Deployment]) -> list[str]:
    """What is wrong with these keys, each with the row it is on."""
    found: list[str] = []
    for deployment in deployments:
        for read in (tag_patterns, own_budget):
            try:
                read(deployment)
            except ValueError as error:
                found.append(f"the row of {deployment.group} ({deployment.provider}/{deployment.model}): {error}")
    return found
