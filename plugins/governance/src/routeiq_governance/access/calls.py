"""Calls of models: whether a caller may make this one, and on this deployment.

Which routes and actions a caller may use is asked before, in `gate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_governance.access import refusals
from routeiq_governance.access.end_users import EndUsers
from routeiq_governance.access.known import Callers, Known
from routeiq_governance.access.models import (
    Names,
    customer_list,
    public_names_of,
    refusing_request,
    refusing_target,
    team_of,
)
from routeiq_governance.access.rules import Rules
from routeiq_governance.access.windows import AccessWindow, kept_for_others, windows_of
from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.caller import Caller, Entity
from routeiq_governance.identity.gate import Identity
from routeiq_sdk import Context, Deployment, Gateway, PluginError, Reject

_BLOCKED = {"key": "Key is blocked. Update via `/key/unblock` if you're an admin."}


class Calls:
    """Decides over calls of models."""

    def __init__(
        self, config: GovernanceConfig, callers: Callers, identity: Identity, rules: Rules, end_users: EndUsers
    ) -> None:
        self._callers = callers
        self._identity = identity
        self._rules = rules
        self._end_users = end_users if config.validate_end_user_id_in_db else None
        self._unpriced_refused = config.block_requests_for_models_without_pricing
        self._names = Names(
            aliases_of({**config.model_alias_map, **config.model_group_alias}), members_of(config.virtual_models)
        )
        self._windows: dict[str, tuple[AccessWindow, ...]] = {}
        self._gateway: Gateway | None = None
        self._profile = ""

    def open(self, gateway: Gateway) -> None:
        """Look at the rows that are there. Raises `PluginError`."""
        self._gateway = gateway
        self._profile = gateway.litellm_profile
        for group in gateway.groups.values():
            for deployment in group.deployments:
                try:
                    windows_of(deployment.info)
                except ValueError as error:
                    raise PluginError(
                        "governance",
                        f"model_list: {group.name}: model_info: {error}",
                        mend="{start: '09:00', end: '17:00', timezone: Europe/Berlin, team_ids: [TEAM]}",
                    ) from None

    async def authorize(self, ctx: Context, caller: Caller) -> Reject | None:
        """Whether the call may be made. Raises `StoreUnavailable`."""
        refused = self.blocked(caller) or self._rules.body(ctx, caller)
        if refused is not None:
            return refused
        known = self._callers.of(caller)
        customer = await self._identity.customer(ctx) if ctx.end_user is not None else None
        asked = ctx.request.model
        if customer is not None:
            if customer.blocked:
                return Reject(400, f"User blocked from making LLM API Calls. User={customer.id}", param="user")
            ctx.keep(self, customer)
        elif self._end_users is not None and ctx.end_user is not None and not await self._end_users.knows(ctx.end_user):
            return Reject(400, f"There is no customer and no user {ctx.end_user!r}.", param="user")
        lists = self._lists(known, customer)
        group = self._groups.get(self._names.aliases.get(asked, asked))
        holder = refusing_request(lists, asked, group, self._names, caller.team)
        if holder is None:
            return None
        return refusals.model_refused(holder, asked, self._told(known, holder), self._profile)

    def authorize_target(self, ctx: Context, deployment: Deployment) -> Reject | None:
        """Whether the call may go to this deployment."""
        caller = self._identity.kept(ctx)
        if caller is None:
            return Reject(503, "Nobody resolved the caller of this request.", type="internal_server_error")
        team = team_of(deployment)
        if team is not None and team != caller.team:
            return refusals.row_refused(deployment.group, "another team's", self._profile)
        if deployment.info.get("access_windows") is not None:
            try:
                windows = windows_of(deployment.info)
            except ValueError:
                return refusals.row_refused(
                    deployment.group, "out of service: its access windows are wrong", self._profile
                )
            if kept_for_others(windows, caller.team, self._now()):
                return refusals.row_refused(deployment.group, "kept for other teams now", self._profile)
        if self._unpriced_refused and deployment.price is None:
            message = (
                f"Model '{deployment.group}' has no pricing: 'block_requests_for_models_without_pricing' is enabled."
            )
            return Reject(403, message, type="model_cost_map_missing", param="model")
        known = self._callers.of(caller)
        customer = ctx.kept(self, Entity)
        asked = ctx.request.model
        holder = refusing_target(self._lists(known, customer), asked, deployment, self._names)
        if holder is None:
            return None
        return refusals.model_refused(holder, deployment.group, self._told(known, holder), self._profile)

    def names(self, caller: Caller) -> frozenset[str] | None:
        """Every name of a model that the caller may ask for (some end in `*`); `None` when nothing bounds it."""
        lists = self._callers.of(caller).models
        groups = self._groups
        hidden = any(team_of(row) not in (None, caller.team) for group in groups.values() for row in group.deployments)
        if not lists and not hidden:
            return None
        wanted = {*groups, *self._names.aliases, *self._names.virtual}
        wanted |= {name for each in lists for name in each.names}
        found = {
            name
            for name in wanted
            if refusing_request(lists, name, groups.get(self._names.aliases.get(name, name)), self._names, caller.team)
            is None
        }
        return frozenset(found)

    def public_names(self, caller: Caller) -> dict[str, str]:
        """The names under which the caller's team asks for its own models, with the groups they stand for."""
        rows = (row for group in self._groups.values() for row in group.deployments if team_of(row) is not None)
        return {name: row.group for row in rows if team_of(row) == caller.team for name in public_names_of(row)}

    @property
    def _groups(self) -> Mapping[str, Any]:
        return self._gateway.groups if self._gateway is not None else {}

    def _lists(self, known: Known, customer: Entity | None) -> tuple[Any, ...]:
        own = customer_list(customer, known.snapshot.access_groups) if customer is not None else None
        return known.models if own is None else (*known.models, own)

    def _told(self, known: Known, holder: str) -> list[str]:
        return sorted({name for each in known.models if each.holder == holder for name in each.names})

    def blocked(self, caller: Caller) -> Reject | None:
        """Identity refuses the blocked and the expired; a caller that was kept since is looked at again here."""
        if caller.expires_at is not None and caller.expires_at <= self._now():
            status = 400 if self._profile == refusals.OLD else 401
            return Reject(status, "Authentication Error - Expired Key.", type="expired_key", param="key")
        for entity in caller.entities:
            if entity.blocked and entity.scope != "customer":
                told = _BLOCKED.get(entity.scope)
                return Reject(401, told or f"{entity.scope.capitalize()}={entity.id} is blocked.", type="auth_error")
        return None

    def _now(self) -> int:
        return self._gateway.clock.now_ns() if self._gateway is not None else 0


def aliases_of(written: Mapping[str, Any]) -> dict[str, str]:
    """`router_settings.model_group_alias`: names to their targets."""
    found = {name: target.get("model") if isinstance(target, Mapping) else target for name, target in written.items()}
    return {name: target for name, target in found.items() if isinstance(target, str)}


def members_of(written: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """`routeiq.virtual_models`: names to the models behind them."""
    found: dict[str, frozenset[str]] = {}
    for name, row in written.items():
        if isinstance(row, Mapping):
            models = [*(row.get("models") or ()), *([row["fallback"]] if row.get("fallback") else ())]
            found[name] = frozenset(str(model) for model in models)
    return found
