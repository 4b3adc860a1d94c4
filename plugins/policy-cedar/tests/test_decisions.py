"""Decisions: deny overrides, errors refuse, the default holds where nobody speaks, and kept decisions age."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from routeiq_sdk import Principal
from routeiq_sdk.testing import FakeGateway, call_hook
from routeiq_sdk.values.directory import DirectoryUser

from .world import ANN, asked, call, context, plugin_with, route, row

FORBID_LARGE = '@id("no-large") forbid(principal in Team::"blue", action, resource == Model::"large");'


async def test_without_policies_nothing_is_refused(tmp_path: Path) -> None:
    async with plugin_with(tmp_path) as (plugin, _):
        assert await call(plugin) is None
        assert await route(plugin, "key:create") is None


async def test_a_forbid_refuses_and_names_its_policy(tmp_path: Path) -> None:
    async with plugin_with(tmp_path, FORBID_LARGE) as (plugin, gateway):
        refused = await call(plugin, model="large")
        assert refused is not None
        assert (refused.status, refused.type) == (403, "policy_denied")
        assert "'no-large'" in refused.message
        assert await call(plugin, model="small") is None
        assert await call(plugin, Principal("other", team="red"), model="large") is None
        (event,) = gateway.events
        assert (event.name, event.payload["policies"]) == ("routeiq.policy_denied.v1", ["no-large"])


async def test_a_forbid_beats_every_permit(tmp_path: Path) -> None:
    text = FORBID_LARGE + 'permit(principal in Team::"blue", action, resource);'
    async with plugin_with(tmp_path, text, default="deny") as (plugin, _):
        assert await call(plugin, model="large") is not None
        assert await call(plugin, model="small") is None


async def test_by_default_deny_nothing_goes_without_a_permit(tmp_path: Path) -> None:
    text = 'permit(principal in User::"ann", action in Action::"inference", resource == Model::"small");'
    async with plugin_with(tmp_path, text, default="deny") as (plugin, _):
        assert await call(plugin, model="small") is None
        refused = await call(plugin, model="medium")
        assert refused is not None
        assert "no access policy permits" in refused.message
        assert await route(plugin, "key:create") is not None


async def test_a_policy_that_cannot_be_evaluated_refuses(tmp_path: Path) -> None:
    schema = tmp_path / "own.cedarschema"
    schema.write_text(
        'entity Key { "color": String }; entity Model; '
        'action "chat:create" appliesTo { principal: [Key], resource: [Model], context: {} };'
    )
    text = '@id("c") permit(principal, action, resource) when { principal.color == "red" };'
    async with plugin_with(tmp_path, text, schema=str(schema)) as (plugin, _):
        refused = await call(plugin)
        assert refused is not None
        assert "could not be evaluated" in refused.message
        assert "color" not in refused.message


async def test_the_master_key_breaks_the_glass_unless_it_is_bound(tmp_path: Path) -> None:
    text = "forbid(principal, action, resource);"
    master = Principal("master", kind="admin")
    async with plugin_with(tmp_path, text) as (plugin, _):
        assert await call(plugin, master) is None
        assert await route(plugin, "key:create", principal=master) is None
        assert await call(plugin) is not None
    async with plugin_with(tmp_path, text, bind_admin=True) as (plugin, _):
        assert await call(plugin, master) is not None
        assert await route(plugin, "key:create", principal=master) is not None


async def test_an_admins_own_key_is_no_master_key(tmp_path: Path) -> None:
    async with plugin_with(
        tmp_path, 'forbid(principal is Key, action, resource) when { principal in User::"ann" };'
    ) as (
        plugin,
        _,
    ):
        assert await call(plugin, replace(ANN, kind="admin")) is not None


async def test_a_fallback_is_no_way_round_a_policy(tmp_path: Path) -> None:
    async with plugin_with(tmp_path, FORBID_LARGE) as (plugin, _):
        ctx = context(model="small")
        assert await asked(plugin, ctx) is None
        assert await call_hook(plugin, "authorize_target", ctx, row("small")) is None
        refused = await call_hook(plugin, "authorize_target", ctx, row("large"))
        assert refused is not None
        assert refused.status == 403


async def test_targets_are_judged_by_what_they_are(tmp_path: Path) -> None:
    text = """
    forbid(principal, action, resource is Model) when { !resource.virtual && !(["eu"].containsAll(resource.regions)) };
    forbid(principal, action, resource is Model)
    when { resource has output_price && resource.output_price > 5000000000 };
    """
    async with plugin_with(tmp_path, text) as (plugin, _):
        ctx = context(model="auto")
        assert await asked(plugin, ctx) is None
        assert await call_hook(plugin, "authorize_target", ctx, row("a", region="eu")) is None
        assert await call_hook(plugin, "authorize_target", ctx, row("b", region="us")) is not None
        assert await call_hook(plugin, "authorize_target", ctx, row("c", dollars=4)) is None
        assert await call_hook(plugin, "authorize_target", ctx, row("d", dollars=6)) is not None


async def test_a_target_whose_caller_nobody_looked_at_is_refused(tmp_path: Path) -> None:
    async with plugin_with(tmp_path, FORBID_LARGE) as (plugin, _):
        refused = await call_hook(plugin, "authorize_target", context(), row("small"))
        assert refused is not None


@pytest.mark.parametrize(
    ("condition", "refused"),
    [
        ("context.hour == 22", True),  # FakeClock stands at 2023-11-14T22:13:20Z
        ("context.hour < 22", False),
        ('context.weekday == "tuesday"', True),
        ('context.now > datetime("2023-11-14")', True),
        ('context has ip && context.ip.isInRange(ip("10.0.0.0/8"))', True),
        ('context has ip && context.ip.isInRange(ip("192.168.0.0/16"))', False),
        ("context has tokens && context.tokens > 1000", True),
        ('context.tags.contains("batch")', True),
        ("context.stream", False),
        ('principal has alias && principal.alias == "ann\'s"', True),
        ('principal.tags.contains("batch")', True),
        ('principal.labels.contains("cost=low")', True),
        ('principal in Organization::"acme"', True),
        ('principal in User::"ann"', True),
        ('principal in Role::"intern"', True),
        ('principal in Role::"chief"', False),
        ('principal has email_domain && principal.email_domain == "example.com"', True),
    ],
)
async def test_policies_see_who_what_when_and_where(tmp_path: Path, condition: str, refused: bool) -> None:
    text = f'forbid(principal is Key, action == Action::"chat:create", resource is Model) when {{ {condition} }};'
    gateway = FakeGateway("policy-cedar", directory=OneUser())  # type: ignore[arg-type]
    async with plugin_with(tmp_path, text, gateway=gateway) as (plugin, _):
        principal = replace(ANN, attributes={"metadata": {"cost": "low", "deep": {"a": 1}}})
        ctx = context(principal, max_tokens=2000)
        ctx.tags = frozenset({"batch"})
        assert (await asked(plugin, ctx) is not None) is refused


async def test_a_kept_decision_does_not_hide_another_address_or_size(tmp_path: Path) -> None:
    text = 'forbid(principal, action, resource) when { context has ip && context.ip == ip("10.9.9.9") };'
    text += "forbid(principal, action, resource) when { context has tokens && context.tokens > 10 };"
    async with plugin_with(tmp_path, text) as (plugin, _):
        assert await asked(plugin, context()) is None
        assert await asked(plugin, context(client="10.9.9.9")) is not None
        assert await asked(plugin, context(max_tokens=11)) is not None
        assert await asked(plugin, context(max_tokens=10)) is None


async def test_a_decision_is_kept_for_seconds_and_no_longer(tmp_path: Path) -> None:
    text = 'forbid(principal, action, resource) when { context.now >= datetime("2023-11-14T22:13:22Z") };'
    async with plugin_with(tmp_path, text, decision_seconds=5) as (plugin, gateway):
        assert await call(plugin) is None
        gateway.clock.advance(4.9)
        assert await call(plugin) is None
        gateway.clock.advance(0.2)
        assert await call(plugin) is not None


async def test_a_role_that_the_directory_takes_away_is_gone_within_seconds(tmp_path: Path) -> None:
    text = 'permit(principal in Role::"intern", action, resource);'
    directory = OneUser()
    gateway = FakeGateway("policy-cedar", directory=directory)  # type: ignore[arg-type]
    async with plugin_with(tmp_path, text, gateway=gateway, default="deny") as (plugin, _):
        assert await call(plugin) is None
        directory.roles = frozenset()
        gateway.clock.advance(5.1)
        assert await call(plugin) is not None


async def test_actions_of_other_plugins_can_be_named_once_they_are_configured(tmp_path: Path) -> None:
    text = 'forbid(principal, action == Action::"report:create", resource);'
    async with plugin_with(tmp_path, text, actions=["report:create"]) as (plugin, _):
        assert await route(plugin, "report:create", "/reports") is not None
        assert await route(plugin, "report:delete", "/reports") is None


async def test_an_action_nobody_declared_is_in_the_group_of_its_verb(tmp_path: Path) -> None:
    async with plugin_with(tmp_path, 'forbid(principal, action in Action::"write", resource);') as (plugin, _):
        assert await route(plugin, "odd:create", "/odd") is not None
        assert await route(plugin, "odd:list", "/odd") is None


class OneUser:
    """A directory that knows ann."""

    def __init__(self) -> None:
        self.roles = frozenset({"intern"})

    async def user(self, id: str) -> DirectoryUser | None:
        return DirectoryUser(id, email="ann@example.com", roles=self.roles) if id == "ann" else None
