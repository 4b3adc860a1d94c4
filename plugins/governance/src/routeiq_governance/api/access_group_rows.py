"""Access groups as LiteLLM's clients read them, in the shapes of its two APIs.

Who sees a group is decided by the handlers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from routeiq_governance.api.shapes import iso_or_none
from routeiq_sdk import ModelGroup


def group_of_models(row: Mapping[str, Any], written: Sequence[str], served: Mapping[str, ModelGroup]) -> dict[str, Any]:
    """A group of `/access_group`: its models, those that name it themselves (`written`) among them."""
    names = list(dict.fromkeys([*row["models"], *written]))
    return {
        "access_group": row["id"],
        "model_names": names,
        "deployment_count": sum(len(served[name].deployments) for name in names if name in served),
        "models_updated": len(row["models"]),
        "budget": None,
    }


def group_of_things(
    row: Mapping[str, Any], teams: Mapping[str, str | None], keys: Mapping[str, str | None]
) -> dict[str, Any]:
    """A group of `/v1/access_group`; `teams` and `keys` have it, each id with its alias."""
    settings = row["settings"]
    return {
        "access_group_id": row["id"],
        "access_group_name": settings.get("name", row["id"]),
        "description": settings.get("description"),
        "access_model_names": list(row["models"]),
        "access_mcp_server_ids": settings.get("access_mcp_server_ids", []),
        "access_agent_ids": settings.get("access_agent_ids", []),
        "access_skill_names": settings.get("access_skill_names", []),
        "mcp_tool_permissions": settings.get("mcp_tool_permissions"),
        "assigned_team_ids": list(teams),
        "assigned_key_ids": list(keys),
        "assigned_teams": [{"id": id, "name": alias} for id, alias in teams.items()],
        "assigned_keys": [{"id": id, "name": alias} for id, alias in keys.items()],
        "created_at": iso_or_none(row["created_at"]),
        "created_by": row.get("created_by"),
        "updated_at": iso_or_none(row["updated_at"]),
        "updated_by": row.get("updated_by"),
    }
