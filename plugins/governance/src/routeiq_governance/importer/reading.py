"""Fields of LiteLLM's rows as ours: times, money, limits, metadata. Checked as the management API checks them.

What a row becomes is in `entities`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from routeiq_governance.api import key_rows, organization_rows, team_rows, user_rows
from routeiq_governance.api.fields import TRAVELLING, Check, document, flag, one_of, text, texts
from routeiq_governance.api.patching import COMMON, IN_METADATA, patched, understood
from routeiq_governance.api.shapes import nano
from routeiq_governance.identity.durations import later
from routeiq_governance.identity.limits import Limits
from routeiq_governance.importer.report import LeftOut
from routeiq_governance.store.entities import Bounded
from routeiq_sdk import RequestError

Row = Mapping[str, Any]
B = TypeVar("B", bound=Bounded)
BY = "import"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT = tuple(
    dict.fromkeys((*key_rows.KEPT, *team_rows.KEPT, *user_rows.KEPT, *organization_rows.KEPT, "allowed_model_region"))
)
_CHECKS: Mapping[str, Check] = {
    **TRAVELLING,
    **COMMON,
    "agent_id": text,
    "aliases": document,
    "allowed_cache_controls": texts,
    "allowed_model_region": text,
    "allowed_routes": texts,
    "auto_rotate": flag,
    "budget_fallbacks": document,
    "config": document,
    "default_model": text,
    "default_team_member_models": texts,
    "key_type": one_of(("llm_api", "management", "read_only", "default")),
    "model_aliases": document,
    "permissions": document,
    "project_id": text,
    "rotation_interval": text,
    "team_member_permissions": texts,
}


def filled(entity: B, row: Row, now: int, **more: Any) -> B:
    """An entity with the limits, models, metadata, settings and spend that stand in its row, and with `more` fields
    that do not. Raises `LeftOut` for a value that makes no sense: no limit is lost in silence."""
    body = {name: row[name] for name in _CHECKS if not _empty(row.get(name))}
    body |= {name: value for name, value in more.items() if not _empty(value)}
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping):
        body["metadata"] = {name: value for name, value in metadata.items() if name not in IN_METADATA or value}
    entity = with_trail(entity, row, now)
    try:
        spent = nano("spend", row.get("spend") or 0)
        entity = patched(entity, understood(body, _CHECKS), _KEPT, entity.updated_at, entity.updated_by or BY)
    except RequestError as refused:
        raise LeftOut(refused.message) from None
    limits = msgspec.structs.replace(entity.limits, budget_since=since_of(row, entity.limits, now))
    return msgspec.structs.replace(entity, limits=limits, spend_base=spent)


def with_trail(entity: B, row: Row, now: int) -> B:
    """An entity with the times and names of its row."""
    created = at(row.get("created_at")) or now
    return msgspec.structs.replace(
        entity,
        created_at=created,
        updated_at=at(row.get("updated_at")) or created,
        created_by=row.get("created_by") or BY,
        updated_by=row.get("updated_by") or BY,
    )


def since_of(row: Row, limits: Limits, now: int) -> int | None:
    """When the window of a budget began: LiteLLM keeps its end."""
    if limits.budget_duration is None:
        return None
    end = at(row.get("budget_reset_at"))
    if end is None or end <= now:
        return now
    length = limits.budget_duration
    start = end - (later(0, length) if not length.endswith("mo") else later(now, length) - now)
    return min(start, now)


def at(value: Any) -> int | None:
    """A time of the database as Unix ns; one without a zone is UTC."""
    if not isinstance(value, datetime):
        return None
    value = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return int((value - _EPOCH) / timedelta(microseconds=1)) * 1000


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)
