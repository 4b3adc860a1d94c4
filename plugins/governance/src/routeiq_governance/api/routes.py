"""Every management route, registered in one place; the handlers live one resource a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routeiq_sdk.values.http import Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts


def register(routes: Routes, parts: Parts) -> None:
    """Add them all."""
