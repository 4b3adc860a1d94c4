"""Which rules bind a request: policies, limits of the caller's entities, and limits that hold for everybody.

What a rule takes, and how it is held, is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from sqlalchemy import select

from routeiq_governance.identity.caller import Caller, Entity
from routeiq_governance.identity.limits import Limits
from routeiq_governance.quotas.entity_rules import rules_of, window_of
from routeiq_governance.quotas.model_rules import rules_of_keys
from routeiq_governance.quotas.policy import DIMENSIONS, Compiled, compiled, read_policy
from routeiq_governance.quotas.rule import Failure, Rule
from routeiq_governance.quotas.settings import QuotaSettings
from routeiq_governance.quotas.windows import NANO, Every, Forever, Window
from routeiq_governance.store.database import Database
from routeiq_governance.store.entities import budgets
from routeiq_governance.store.tables import policies as policy_table
from routeiq_sdk import ConfigError, Context, ModelGroup

log = structlog.get_logger("routeiq.governance.quotas")


class Binding:
    """The rules in force: those of the configuration for good, those of the database as last read."""

    def __init__(self, settings: QuotaSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self.written: tuple[Compiled, ...] = tuple(_written(settings))
        self.added: dict[str, Compiled] = {}
        self._everybody = tuple(_everybody(settings))
        self._end_users: Limits | None = None
        self.rates: Failure = "closed" if settings.fail_closed_rate_limit_enforcement else "local_fraction"
        self._sort()

    async def load(self, _id: str = "") -> None:
        """Read the policies of the database. Raises `StoreUnavailable`; the old ones then stay."""
        shared = self._settings.max_end_user_budget_id
        async with self._database.read() as connection:
            rows = (await connection.execute(select(policy_table))).mappings().all()
            budget = await budgets.get(connection, shared) if shared is not None else None
        self._end_users = budget.limits if budget is not None else None
        found: dict[str, Compiled] = {}
        for row in rows:
            try:
                policy = read_policy({**row["document"], "id": row["id"]})
            except ValueError as error:
                log.error("a policy of the database makes no sense and is left out", policy=row["id"], why=str(error))
                continue
            found[row["id"]] = compiled(policy, row["created_at"])
        self.added = found
        self._sort()

    def _sort(self) -> None:
        every = (*self.written, *self.added.values())
        self._general = tuple(each for each in every if not {"model", "provider"} & each.policy.scope.keys())
        self._of_models = tuple(each for each in every if {"model", "provider"} & each.policy.scope.keys())

    def general(
        self, ctx: Context, caller: Caller, customer: Entity | None, tags: Sequence[Entity], now: int
    ) -> list[Rule]:
        """The rules that hold whatever model answers."""
        found: list[Rule] = list(self._everybody)
        names = sorted(ctx.tags)
        for entity in (*caller.entities, *((customer,) if customer is not None else ()), *tags):
            found += rules_of(entity, None, names if entity.scope == "key" else (), now, self.rates)
        found += self._defaults(ctx, caller, customer, now)
        if self._general:
            told, fixed = _dimensions(ctx, caller)
            for policy in self._general:
                found += policy.rules(told, fixed)
        return found

    def of_model(self, ctx: Context, caller: Caller, group: ModelGroup, now: int) -> list[Rule]:
        """The rules that hold for this model."""
        found: list[Rule] = []
        for entity in caller.entities:
            limits = entity.limits
            if limits.model_budgets or limits.model_requests_a_minute or limits.model_tokens_a_minute:
                bound = rules_of(entity, group.name, (), now, self.rates)
                found += [rule for rule in bound if rule.model is not None]
        found += rules_of_keys(caller, group, self.rates)
        if self._of_models:
            told, fixed = _dimensions(ctx, caller)
            told["model"] = (group.name,)
            told["provider"] = tuple(dict.fromkeys(deployment.provider for deployment in group.deployments))
            for policy in self._of_models:
                found += policy.rules(told, fixed)
        return found

    def _defaults(self, ctx: Context, caller: Caller, customer: Entity | None, now: int) -> Iterable[Rule]:
        """Limits of those that have none of their own."""
        settings = self._settings
        key, user = caller.entity("key"), caller.entity("user")
        if settings.max_parallel_requests is not None and key is not None and key.limits.concurrent is None:
            most = settings.max_parallel_requests
            name = f"key:{key.id}:parallel"
            yield Rule(name, "api_key", key.id, "concurrent", most, Forever(), on_store_failure=self.rates)
        if settings.default_soft_budget is not None and key is not None and key.limits.soft_budget is None:
            name, most, window = f"key:{key.id}:soft-budget", _nano(settings.default_soft_budget), window_of(key.limits)
            yield Rule(name, "api_key", key.id, "usd", most, window, enforced=False, seeded=True)
        if settings.max_user_budget is not None and user is not None and user.limits.budget is None:
            most = _nano(settings.max_user_budget)
            yield Rule(f"user:{user.id}:budget", "user", user.id, "usd", most, Forever(), seeded=True)
        if ctx.end_user is not None:
            yield from self._of_end_users(ctx.end_user, customer, now)
        for tag in sorted(ctx.tags & settings.tag_budget_config.keys()):
            row = settings.tag_budget_config[tag]
            window = Every(row.budget_duration, 0)
            yield Rule(f"tag:{tag}:budget", "tag", tag, "usd", _nano(row.max_budget), window)

    def _of_end_users(self, id: str, customer: Entity | None, now: int) -> Iterable[Rule]:
        if self._end_users is not None and (customer is None or customer.limits == Limits()):
            yield from rules_of(Entity("customer", id, limits=self._end_users), None, (), now, self.rates)
        elif self._settings.max_end_user_budget is not None and (customer is None or customer.limits.budget is None):
            most = _nano(self._settings.max_end_user_budget)
            yield Rule(f"customer:{id}:budget", "end_user", id, "usd", most, Forever(), seeded=True)


def _nano(dollars: object) -> int:
    return int(dollars * NANO)  # type: ignore[operator]


def _written(settings: QuotaSettings) -> Iterable[Compiled]:
    names: set[str] = set()
    for number, row in enumerate(settings.policies):
        place = f"routeiq.plugins.governance.policies[{number}]"
        try:
            policy = read_policy(row)
        except ValueError as error:
            raise ConfigError(
                f"{place}: {error}", mend="see docs/how-to/budgets.md for what a policy may say"
            ) from None
        if policy.name in names:
            raise ConfigError(f"{place}: there is another policy {policy.name!r}", mend="give each an id of its own")
        names.add(policy.name)
        yield compiled(policy)


def _everybody(settings: QuotaSettings) -> Iterable[Rule]:
    if settings.max_budget is not None:
        window: Window = Forever() if settings.budget_duration is None else Every(settings.budget_duration, 0)
        most = _nano(settings.max_budget)
        yield Rule("global:budget", "global", "everybody", "usd", most, window, seeded=True)
    if settings.global_max_parallel_requests is not None:
        most = settings.global_max_parallel_requests
        yield Rule("global:parallel", "global", "everybody", "concurrent", most, Forever())


def _dimensions(ctx: Context, caller: Caller) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """The request's values by dimension: an id first, then what else names the same thing."""
    team, organization, key = caller.entity("team"), caller.entity("organization"), caller.entity("key")
    named: dict[str, tuple[str | None, ...]] = {
        "org": (caller.organization, organization.alias if organization is not None else None),
        "team": (caller.team, team.alias if team is not None else None),
        "user": (caller.user, caller.email),
        "key": (caller.key_id, key.alias if key is not None else None),
        "customer": (ctx.end_user,),
        "route": (ctx.route, ctx.path, ctx.action),
        "tag": tuple(sorted(ctx.tags)),
    }
    told = {name: tuple(value for value in values if value) for name, values in named.items()}
    assert told.keys() <= set(DIMENSIONS)
    return told, {name: values[0] for name, values in told.items() if values}
