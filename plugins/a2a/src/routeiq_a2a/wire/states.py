"""States of tasks as clients write them to filter lists.

Filtering is the list's business.
"""

from __future__ import annotations

from typing import Any

from a2a.types import TaskState

from routeiq_a2a.wire.errors import invalid

_PREFIX = "TASK_STATE_"
_NAMES = tuple(TaskState.keys()[1:])


def check_state(told: Any) -> None:
    """Raises `InvalidParamsError` for a state that is none: the library's parser would take it for no filter at all."""
    if isinstance(told, str) and told not in _NAMES:
        raise invalid("status", f"The status is one of {', '.join(_NAMES)}.")


def queried_state(told: str) -> str:
    """A state of a query, where the specification writes `working` (11.5) for what is `TASK_STATE_WORKING` in JSON."""
    state = told if told.startswith(_PREFIX) else _PREFIX + told.upper().replace("-", "_")
    check_state(state)
    return state
