"""Where a team's requests are logged to, kept for the sinks that do it. What is secret in it is sealed and never shown.

Sending anything anywhere is the business of other plugins.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import checked, document, identifier, missing, one_of, text
from routeiq_governance.api.shapes import answer, body_of, wrong
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import Team, teams
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_SETTING = "logging"
_TYPES = ("success", "failure", "success_and_failure")
_SECRET_WORDS = ("auth", "certificate", "credential", "header", "key", "password", "secret", "service_account", "token")
_MASK = "***REDACTED***"


def _variables(name: str, value: Any) -> dict[str, str]:
    """Variables of a callback: texts. A reference to the gateway's own environment would show its secrets."""
    found = {key: text(name, item) for key, item in document(name, value).items()}
    if any(item.startswith("os.environ/") for item in found.values()):
        raise wrong(name, "a reference to the environment is not resolved here; write the value")
    return found


def _is_secret(variable: str) -> bool:
    return any(word in variable.lower() for word in _SECRET_WORDS)


class TeamCallbacks:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def add(self, request: HttpRequest) -> HttpResponse:
        """Add a callback to a team."""
        parts, id = self._parts, request.path_params["team_id"]
        caller = await parts.identity.caller_of(request)
        checks = {"callback_name": identifier, "callback_type": one_of(_TYPES), "callback_vars": _variables}
        fields = checked(body_of(request), checks, required=("callback_name",))
        async with changing(parts, caller) as change:
            team = await self._held(change, caller, id)
            entries = _entries(team)
            name, kind = fields["callback_name"], fields.get("callback_type") or "success_and_failure"
            if any(entry["callback_name"] == name and _overlap(entry["callback_type"], kind) for entry in entries):
                raise wrong("callback_name", f"{name!r} is a callback of the team already")
            sealed = self._sealed(id, fields.get("callback_vars") or {})
            entry = {"callback_name": name, "callback_type": kind, "callback_vars": sealed}
            team = await self._saved(change, team, [*entries, entry])
        return answer({"status": "success", "data": self._shown(team)})

    async def show(self, request: HttpRequest) -> HttpResponse:
        """The callbacks of a team."""
        parts, id = self._parts, request.path_params["team_id"]
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "team:update", scope="team", id=id)
        async with parts.database.read() as connection:
            team = await teams.get(connection, id)
        if team is None:
            raise missing("team", id, "team_id")
        return answer({"status": "success", "data": self._shown(team)})

    async def remove(self, request: HttpRequest) -> HttpResponse:
        """Remove a callback by its name."""
        parts, id = self._parts, request.path_params["team_id"]
        name = request.path_params["callback_name"]
        caller = await parts.identity.caller_of(request)
        async with changing(parts, caller) as change:
            team = await self._held(change, caller, id)
            entries = _entries(team)
            left = [entry for entry in entries if entry["callback_name"] != name]
            if len(left) == len(entries):
                raise missing("callback", name, "callback_name")
            team = await self._saved(change, team, left)
        told = {field: value for field, value in self._shown(team).items() if field != "callback_vars"}
        message = f"Callback {name} removed for team {id}"
        return answer({"status": "success", "message": message, "data": told})

    async def disable(self, request: HttpRequest) -> HttpResponse:
        """Remove all callbacks."""
        parts, id = self._parts, request.path_params["team_id"]
        caller = await parts.identity.caller_of(request)
        async with changing(parts, caller) as change:
            team = await self._saved(change, await self._held(change, caller, id), [])
        told = {"team_id": team.id, "success_callbacks": [], "failure_callbacks": []}
        return answer({"status": "success", "message": f"Logging disabled for team {id}", "data": told})

    async def _held(self, change: Change, caller: Caller, id: str) -> Team:
        await self._parts.access.require(caller, "team:update", scope="team", id=id, within=change.connection)
        team = await change.held(teams, id)
        if team is None:
            raise missing("team", id, "team_id")
        return team

    @staticmethod
    async def _saved(change: Change, team: Team, entries: Sequence[Mapping[str, Any]]) -> Team:
        settings = {**team.settings, _SETTING: list(entries)}
        team = msgspec.structs.replace(team, settings=settings, updated_at=change.now, updated_by=change.by)
        await teams.save(change.connection, team)
        change.touch("teams", team.id)
        return team

    def _sealed(self, team: str, variables: Mapping[str, str]) -> str:
        sealed = self._parts.database.sealer.seal(json.dumps(variables).encode(), f"team-callback/{team}")
        return base64.b64encode(sealed).decode()

    def _shown(self, team: Team) -> dict[str, Any]:
        entries = _entries(team)
        variables: dict[str, str] = {}
        for entry in entries:
            opened = self._parts.database.sealer.open(
                base64.b64decode(entry["callback_vars"]), f"team-callback/{team.id}"
            )
            variables |= json.loads(opened)
        shown = {name: _MASK if _is_secret(name) else value for name, value in variables.items()}
        return {
            "team_id": team.id,
            "success_callbacks": [entry["callback_name"] for entry in entries if entry["callback_type"] != "failure"],
            "failure_callbacks": [entry["callback_name"] for entry in entries if entry["callback_type"] != "success"],
            "callback_vars": shown,
        }


def _entries(team: Team) -> list[dict[str, Any]]:
    return list(team.settings.get(_SETTING, []))


def _overlap(one: str, other: str) -> bool:
    return one == other or "success_and_failure" in (one, other)


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes."""
    handlers = TeamCallbacks(parts)
    for method, path, handler, summary in (
        ("POST", "/team/{team_id}/callback", handlers.add, "Add a callback to a team"),
        ("GET", "/team/{team_id}/callback", handlers.show, "The callbacks of a team"),
        ("DELETE", "/team/{team_id}/callback/{callback_name}", handlers.remove, "Remove a callback of a team"),
        ("POST", "/team/{team_id}/disable_logging", handlers.disable, "Remove all callbacks of a team"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action="team:update")
