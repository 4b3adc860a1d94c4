"""From claims to people: users and teams of the directory, roles, services, and who is out at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from routeiq_oidc.people.identity import identity_of
from routeiq_oidc.people.resolver import FRESH_SECONDS
from routeiq_oidc.tokens.refusal import Refused
from routeiq_oidc.tokens.trust import Trust
from routeiq_sdk import Principal
from routeiq_sdk.values.directory import DirectoryGroup, DirectoryUser

from .directory import MemoryDirectory
from .world import world


async def test_a_known_user_is_found_by_id_or_by_the_issuers_own_id(directory: MemoryDirectory) -> None:
    directory.add(DirectoryUser("ann"), DirectoryUser("u-7", external_id="bob", organization="acme"))
    async with world(directory) as here:
        ann = await here.principal(here.token())
        assert (ann.id, ann.kind, ann.user) == ("oidc:ann", "user", "ann")
        bob = await here.principal(here.token(sub="bob"))
        assert (bob.id, bob.user, bob.organization) == ("oidc:bob", "u-7", "acme")
        nobody = await here.principal(here.token(sub="carol"))
        assert (nobody.id, nobody.user) == ("oidc:carol", None)
        assert "carol" not in directory.users


async def test_an_email_address_finds_a_user_only_when_the_issuer_verified_it(directory: MemoryDirectory) -> None:
    directory.add(DirectoryUser("u-1", email="ann@example.com"))
    async with world(directory, match=["email"]) as here:
        for verified, user in ((True, "u-1"), (False, None), ("yes", None), (None, None)):
            token = here.token(email="ann@example.com", email_verified=verified)
            assert (await here.principal(token)).user == user, verified


async def test_a_new_user_is_created_at_sign_in_when_that_is_wanted(directory: MemoryDirectory) -> None:
    async with world(directory, upsert=True) as here:
        token = here.token(email="ann@example.com", email_verified=True, name="Ann")
        answers = await asyncio.gather(*(here.principal(token) for _ in range(5)))
        assert {answer.user for answer in answers} == {"ann"}
        assert directory.users == {"ann": DirectoryUser("ann", "ann@example.com", "Ann", external_id="ann")}


async def test_a_service_has_no_user_and_makes_none(directory: MemoryDirectory) -> None:
    async with world(directory, upsert=True) as here:
        services: tuple[dict[str, Any], ...] = (
            {"sub": "batch", "client_id": "batch"},
            {"sub": "x", "idtyp": "app"},
            {"sub": "batch@clients", "azp": "batch"},
        )
        for claims in services:
            principal = await here.principal(here.token(**claims))
            assert (principal.kind, principal.user) == ("service", None)
        assert directory.users == {}


async def test_whoever_is_deactivated_is_out_at_once(directory: MemoryDirectory) -> None:
    directory.add(DirectoryUser("ann"))
    async with world(directory) as here:
        token = here.token()
        await here.principal(token)
        directory.deactivate("ann")
        here.gateway.clock.advance(FRESH_SECONDS)
        assert (await here.refusal(token)).status == 401


async def test_a_change_by_scim_in_one_worker_is_known_in_the_others_without_waiting(
    directory: MemoryDirectory,
) -> None:
    directory.add(DirectoryUser("ann"))
    async with world(directory) as here, world(directory, beside=here) as there:
        token = there.token()
        await there.principal(token)
        directory.deactivate("ann")
        await there.principal(token)  # remembered, and its clock stands still
        assert here.plugin._made is not None
        await here.plugin._made.changes.announce("user.deactivated", "ann")
        async with asyncio.timeout(10):
            while isinstance(await there.ask(token), Principal):
                await asyncio.sleep(0)


async def test_the_directory_is_asked_once_in_two_seconds(directory: MemoryDirectory) -> None:
    directory.add(DirectoryUser("ann"))
    async with world(directory) as here:
        for number in range(20):
            await here.principal(here.token(jti=str(number)))
        assert directory.reads == 1


async def test_a_directory_out_of_reach_is_an_outage_and_no_refusal(directory: MemoryDirectory) -> None:
    async with world(directory) as here:
        directory.away = True
        refused = await here.refusal(here.token())
        assert (refused.status, refused.type, refused.headers["retry-after"]) == (503, "no_db_connection", "1")
        directory.away = False
        await here.principal(here.token())


async def test_the_first_group_that_the_directory_has_is_the_team(
    directory: MemoryDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    directory.add(
        DirectoryGroup("t-1", "Research", external_id="00g1", organization="acme"),
        DirectoryGroup("t-2", "Twins"),
        DirectoryGroup("t-3", "Twins"),
        DirectoryGroup("t-0", "Everybody"),
    )
    async with world(directory, claims={"team": "groups"}, default_team="t-0") as here:
        for groups, team in (
            (["nobody-knows", "t-1"], "t-1"),
            (["00g1"], "t-1"),
            (["Research"], "t-1"),
            (["Twins"], "t-0"),
            ("Research", "t-1"),
            ([], "t-0"),
            ({"a": 1}, "t-0"),
        ):
            principal = await here.principal(here.token(groups=groups))
            assert (principal.team, principal.organization) == (team, "acme" if team == "t-1" else None), groups
        here.gateway.clock.advance(FRESH_SECONDS)
        await here.principal(here.token(groups=["nobody-knows"]))
    told = [record.getMessage() for record in caplog.records if "nobody-knows" in record.getMessage()]
    assert len(told) == 1


async def test_the_directorys_organization_counts_before_the_tokens(directory: MemoryDirectory) -> None:
    directory.add(DirectoryUser("ann", organization="acme"))
    async with world(directory, claims={"organization": "org"}) as here:
        assert (await here.principal(here.token(org="evil"))).organization == "acme"
        assert (await here.principal(here.token(sub="bob", org="globex"))).organization == "globex"


async def test_an_issuer_of_one_organization_reaches_no_other(directory: MemoryDirectory) -> None:
    directory.add(
        DirectoryUser("ann", organization="globex"),
        DirectoryUser("bob", organization="acme"),
        DirectoryUser("u-1", external_id="carol", organization="globex"),
        DirectoryGroup("theirs", "Theirs", organization="globex"),
        DirectoryGroup("ours", "Ours", organization="acme"),
        DirectoryGroup("nobodys", "Nobody's"),
    )
    row: dict[str, Any] = {"organization": "acme", "upsert": True, "claims": {"team": "groups", "organization": "org"}}
    async with world(directory, **row) as here:
        assert (await here.refusal(here.token())).status == 401
        bob = await here.principal(here.token(sub="bob", groups=["theirs", "Theirs", "nobodys", "ours"], org="globex"))
        assert (bob.user, bob.team, bob.organization) == ("bob", "ours", "acme")
        carol = await here.principal(here.token(sub="carol"))
        assert (carol.user, carol.organization) == ("carol", "acme")
        service = await here.principal(here.token(sub="x", client_id="x", groups=["theirs"], org="globex"))
        assert (service.team, service.organization) == (None, "acme")


async def test_roles_are_only_those_that_the_map_names(directory: MemoryDirectory) -> None:
    mapped = {"gw-admins": "team_admin", "llm.use": "developer"}
    async with world(directory, claims={"roles": "realm_access.roles"}, role_map=mapped) as here:
        token = here.token(realm_access={"roles": ["gw-admins", "owner"]}, scope="openid llm.use proxy_admin")
        principal = await here.principal(token)
        assert principal.attributes["roles"] == ["developer", "team_admin"]
        assert principal.kind == "user"


async def test_who_is_unknown_or_lacks_a_role_or_a_domain_is_refused_when_that_is_asked_for(
    directory: MemoryDirectory,
) -> None:
    async with world(directory, require_user=True) as here:
        assert (await here.refusal(here.token())).status == 401
    async with world(directory, require_any=["gateway"]) as here:
        assert (await here.refusal(here.token(roles=["other"]))).status == 403
        await here.principal(here.token(roles=["gateway"]))
    async with world(directory, email_domains=["Example.com"]) as here:
        for email, verified in (
            ("a@evil.com", True),
            ("a@example.com", False),
            ("a@example.com.evil.com", True),
            (None, True),
        ):
            assert (await here.refusal(here.token(email=email, email_verified=verified))).status == 403
        await here.principal(here.token(email="a@EXAMPLE.com", email_verified=True))


async def test_a_user_with_the_wanted_id_is_not_overwritten(directory: MemoryDirectory) -> None:
    directory.add(DirectoryUser("ann", email="other@example.com"))
    async with world(directory, upsert=True, match=["external_id"]) as here:
        assert (await here.refusal(here.token())).status == 401
        assert directory.users["ann"].email == "other@example.com"


def test_equal_subjects_of_two_issuers_are_two_callers() -> None:
    ids = set()
    for name in (None, "a", "b"):
        for subject in ("x", "a/x", "b/x", "a%2Fx"):
            trust = Trust(issuer="https://i", audience=None, name=name)
            ids.add(identity_of({"sub": subject}, trust).id)
    assert len(ids) == 12


@pytest.mark.parametrize("value", [None, 7, "", "x" * 256, ["ann"], {"id": "ann"}])
def test_a_user_claim_that_is_no_short_text_is_refused(value: Any) -> None:
    with pytest.raises(Refused):
        identity_of({"sub": "ann", "uid": value}, Trust("https://i", None, user_claim="uid"))
