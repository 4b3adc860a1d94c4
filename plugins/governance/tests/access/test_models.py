"""Which models a caller may use: every list must agree, for what is asked and for each target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from routeiq_governance.store.entities import Customer, Organization, Team, User
from routeiq_sdk import Deployment, ModelGroup, PluginError, Price, Principal

from .world import World, key, world


def row(group: str, id: str = "", *, price: bool = True, **info: Any) -> Deployment:
    priced = Price(1, 1, 1, 1) if price else None
    return Deployment(id or group, group, "openai", group, "openai", price=priced, info=info)


def groups(*rows: Deployment) -> Sequence[ModelGroup]:
    names = dict.fromkeys(each.group for each in rows)
    return [ModelGroup(name, tuple(each for each in rows if each.group == name)) for name in names]


GROUPS = groups(
    row("fast"),
    row("smart"),
    row("beta", access_groups=["early"]),
    row("mixed", "mixed-1", access_groups=["early"]),
    row("mixed", "mixed-2"),
    row("model_name_blue_1", team_id="blue", team_public_model_name="ours"),
    row("openai/gpt"),
)


async def asks(made: World, who: str, model: str, **fields: Any) -> str | None:
    """The type of the refusal of a call, if it is refused."""
    ctx = made.context(who, model=model, **fields)
    refused = await made.access.authorize(ctx)
    return refused.type if refused is not None else None


async def targets(made: World, who: str, model: str, target: Deployment) -> str | None:
    """The type of the refusal of a target, if it is refused."""
    ctx = made.context(who, model=model)
    await made.access.authorize(ctx)
    refused = made.access.authorize_target(ctx, target)
    return refused.type if refused is not None else None


@pytest.mark.parametrize(
    ("lists", "model", "refused"),
    [
        ({}, "fast", None),
        ({"key": ("fast",)}, "fast", None),
        ({"key": ("fast",)}, "smart", "key_model_access_denied"),
        ({"key": ("*",)}, "smart", None),
        ({"key": ("all-proxy-models",)}, "smart", None),
        ({"key": ("openai/*",)}, "openai/gpt", None),
        ({"key": ("openai/*",)}, "smart", "key_model_access_denied"),
        ({"key": ("early",)}, "beta", None),
        ({"key": ("early",)}, "fast", "key_model_access_denied"),
        ({"key": ("stored",)}, "smart", None),
        ({"key": ("stored",)}, "fast", "key_model_access_denied"),
        ({"key": ("no-default-models",)}, "fast", "key_model_access_denied"),
        ({"team": ("fast",)}, "smart", "team_model_access_denied"),
        ({"team": ("fast",), "key": ("smart",)}, "fast", "key_model_access_denied"),
        ({"team": ("fast",), "key": ("all-team-models",)}, "fast", None),
        ({"team": ("fast",), "key": ("all-team-models",)}, "smart", "key_model_access_denied"),
        ({"key": ("all-team-models",)}, "smart", None),
        ({"org": ("fast",)}, "smart", "org_model_access_denied"),
        ({"org": ("fast",), "team": ("smart",)}, "smart", "org_model_access_denied"),
        ({"user": ("fast",)}, "smart", None),  # a key of a team has its team's models
        ({"key": ("ours",)}, "model_name_blue_1", None),
    ],
)
async def test_every_list_must_agree(lists: dict[str, tuple[str, ...]], model: str, refused: str | None) -> None:
    async with world(groups=GROUPS) as made:
        await made.group("stored", "smart")
        await made.save(Team(id="blue", organization_id="acme", models=lists.get("team", ())))
        await made.save(Organization(id="acme", models=lists.get("org", ())))
        await made.save(User(id="uma", role="internal_user", models=lists.get("user", ())))
        await made.add(key("k", user_id="uma", team_id="blue", models=lists.get("key", ())))
        assert await asks(made, "k", model) == refused


@pytest.mark.parametrize(
    ("models", "model", "refused"),
    [
        ((), "fast", None),
        (("fast",), "smart", "user_model_access_denied"),
        (("no-default-models",), "fast", "user_model_access_denied"),
    ],
)
async def test_a_users_own_list_bounds_its_personal_keys(
    models: tuple[str, ...], model: str, refused: str | None
) -> None:
    async with world(groups=GROUPS) as made:
        await made.save(User(id="uma", role="internal_user", models=models))
        assert await asks(made, "uma", model) == refused


async def test_a_teams_model_is_for_that_team_alone() -> None:
    async with world(groups=GROUPS) as made:
        own = row("model_name_blue_1", team_id="blue", team_public_model_name="ours")
        assert await asks(made, "uma-blue", "model_name_blue_1") is None
        assert await targets(made, "uma-blue", "model_name_blue_1", own) is None
        for other in ("rita-red", "uma", "bare"):
            assert await asks(made, other, "model_name_blue_1") in (
                "team_model_access_denied",
                "key_model_access_denied",
            )
            assert await targets(made, other, "fast", own) == "team_model_access_denied"


@pytest.mark.parametrize(("profile", "status", "told"), [("1.109", 403, False), ("1.80", 401, True)])
async def test_the_profile_words_the_refusal(profile: str, status: int, told: bool) -> None:
    async with world(groups=GROUPS, profile=profile) as made:
        await made.add(key("k", models=("fast",)))
        refused = await made.access.authorize(made.context("k", model="smart"))
        assert refused is not None
        assert (refused.status, refused.type, refused.param) == (status, "key_model_access_denied", "model")
        assert ("models=[fast]" in refused.message) is told


async def test_a_fallback_needs_access_too() -> None:
    async with world(groups=GROUPS) as made:
        await made.add(key("k", models=("fast",)))
        assert await targets(made, "k", "fast", row("fast")) is None
        assert await targets(made, "k", "fast", row("smart")) == "key_model_access_denied"


async def test_an_access_group_opens_its_rows_and_no_others() -> None:
    async with world(groups=GROUPS) as made:
        await made.add(key("k", models=("early",)))
        assert await asks(made, "k", "mixed") is None
        assert await targets(made, "k", "mixed", row("mixed", "mixed-1", access_groups=["early"])) is None
        assert await targets(made, "k", "mixed", row("mixed", "mixed-2")) == "key_model_access_denied"


async def test_a_group_behind_a_wildcard_is_judged_at_its_rows() -> None:
    async with world(groups=GROUPS) as made:
        await made.add(key("k", models=("early",)))
        assert await asks(made, "k", "anthropic/claude") is None
        assert await targets(made, "k", "anthropic/claude", row("anthropic/claude", access_groups=["early"])) is None
        refused = await targets(made, "k", "anthropic/claude", row("anthropic/claude"))
        assert refused == "key_model_access_denied"


async def test_an_alias_is_allowed_by_its_own_name_or_its_targets() -> None:
    async with world(groups=GROUPS, model_group_alias={"quick": "fast", "hidden": {"model": "smart"}}) as made:
        await made.add(key("by-alias", models=("quick",)), key("by-target", models=("fast",)))
        for who in ("by-alias", "by-target"):
            assert await asks(made, who, "quick") is None
            assert await targets(made, who, "quick", row("fast")) is None
            assert await asks(made, who, "hidden") == "key_model_access_denied"
        assert await asks(made, "by-alias", "fast") == "key_model_access_denied"


async def test_who_names_the_virtual_model_alone_gets_its_members() -> None:
    virtual = {"auto": {"models": ["fast", "smart"], "fallback": "fast"}}
    async with world(groups=GROUPS, virtual_models=virtual) as made:
        await made.add(key("all", models=("auto",)), key("one", models=("auto", "fast")), key("none", models=("fast",)))
        assert await asks(made, "all", "auto") is None
        assert await targets(made, "all", "auto", row("smart")) is None
        assert await targets(made, "all", "auto", row("beta")) == "key_model_access_denied"
        assert await targets(made, "one", "auto", row("fast")) is None
        assert await targets(made, "one", "auto", row("smart")) == "key_model_access_denied"
        assert await asks(made, "none", "auto") == "key_model_access_denied"


async def test_a_customers_list_bounds_calls_in_its_name() -> None:
    async with world(groups=GROUPS) as made:
        await made.add(Customer(id="c", models=("fast",)), Customer(id="bad", blocked=True))
        ctx = made.context("bare", model="smart")
        ctx.end_user = "c"
        refused = await made.access.authorize(ctx)
        assert refused is not None
        assert refused.type == "customer_model_access_denied"
        ctx = made.context("bare", model="fast")
        ctx.end_user = "c"
        assert await made.access.authorize(ctx) is None
        refused = made.access.authorize_target(ctx, row("smart"))
        assert refused is not None
        ctx = made.context("bare", model="fast")
        ctx.end_user = "bad"
        refused = await made.access.authorize(ctx)
        assert refused is not None
        assert (refused.status, refused.param) == (400, "user")


async def test_unknown_end_users_are_refused_where_the_operator_says_so() -> None:
    async with world(groups=GROUPS, validate_end_user_id_in_db=True) as made:
        await made.add(Customer(id="c"), User(id="zoe", email="Zoe@example.com"))
        for end_user, status in (("c", None), ("uma", None), ("zoe@example.com", None), ("nobody", 400), (None, None)):
            ctx = made.context("bare", model="fast")
            ctx.end_user = end_user
            refused = await made.access.authorize(ctx)
            assert (refused.status if refused is not None else None) == status, end_user
        await made.add(User(id="nobody"))
        ctx = made.context("bare", model="fast")
        ctx.end_user = "nobody"
        assert await made.access.authorize(ctx) is None


async def test_unpriced_models_are_refused_where_the_operator_says_so() -> None:
    async with world(groups=GROUPS, block_requests_for_models_without_pricing=True) as made:
        assert await targets(made, "bare", "fast", row("fast")) is None
        assert await targets(made, "bare", "fast", row("fast", price=False)) == "model_cost_map_missing"


async def test_access_windows_keep_a_row_for_its_team() -> None:
    always = [
        {"start": "00:00", "end": "12:00", "timezone": "UTC", "team_ids": ["blue"]},
        {"start": "12:00", "end": "00:00", "timezone": "UTC", "team_ids": ["blue"]},
    ]
    async with world(groups=GROUPS) as made:
        kept = row("fast", access_windows=always)
        assert await targets(made, "uma-blue", "fast", kept) is None
        assert await targets(made, "rita-red", "fast", kept) == "team_model_access_denied"
        assert await targets(made, "bare", "fast", row("fast", access_windows="odd")) == "team_model_access_denied"


async def test_access_windows_that_make_no_sense_stop_the_start() -> None:
    with pytest.raises(PluginError, match=r"fast: model_info: .*access_windows"):
        async with world(groups=groups(row("fast", access_windows="odd"))):
            pass


@pytest.mark.parametrize(
    ("who", "names"),
    [
        ("free", None),
        ("few", {"fast", "early", "beta", "mixed"}),
        ("stars", {"openai/*", "openai/gpt"}),
        ("team", {"fast"}),
    ],
)
async def test_the_names_a_caller_may_ask_for(who: str, names: set[str] | None) -> None:
    async with world(groups=[group for group in GROUPS if "blue" not in group.name]) as made:
        await made.save(Team(id="blue", organization_id="acme", models=("fast",)))
        await made.add(
            key("free"),
            key("few", models=("fast", "early")),
            key("stars", models=("openai/*",)),
            key("team", team_id="blue", models=("fast", "smart")),
        )
        found = made.access.models_of(await made.caller(who))
        assert (None if found is None else set(found)) == names


async def test_a_team_asks_for_its_models_by_their_public_names() -> None:
    async with world(groups=GROUPS) as made:
        await made.add(key("k", team_id="blue", models=("ours",)))
        for who, aliases in (("k", {"ours": "model_name_blue_1"}), ("rita-red", {})):
            narrowed = made.access.narrowed(Principal("p"), await made.caller(who))
            assert narrowed.aliases == aliases
        assert await asks(made, "k", "model_name_blue_1") is None
        assert await asks(made, "k", "fast") == "key_model_access_denied"


async def test_other_teams_models_are_not_shown() -> None:
    async with world(groups=GROUPS) as made:
        assert "model_name_blue_1" not in (made.access.models_of(await made.caller("rita-red")) or ())
        assert "model_name_blue_1" in (made.access.models_of(await made.caller("uma-blue")) or ["model_name_blue_1"])
