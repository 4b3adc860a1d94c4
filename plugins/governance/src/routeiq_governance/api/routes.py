"""Every management route, registered in one place; the handlers live one resource a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routeiq_governance.api import (
    access_groups,
    budgets,
    credentials,
    customers,
    keys,
    models,
    organizations,
    policies,
    roles,
    spend,
    tags,
    teams,
    users,
)
from routeiq_governance.api.reachable import Reachable
from routeiq_sdk.values.http import Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_MODULES = (
    keys,
    teams,
    users,
    organizations,
    customers,
    budgets,
    tags,
    policies,
    roles,
    spend,
    models,
    access_groups,
    credentials,
)


def register(routes: Routes, parts: Parts) -> None:
    """Add them all."""
    reachable = Reachable(routes)
    for module in _MODULES:
        module.register(reachable, parts)
