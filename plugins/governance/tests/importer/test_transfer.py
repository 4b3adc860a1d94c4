"""An import: everything once, what stays behind with its reason, and nothing half."""

from __future__ import annotations

import pytest

from routeiq_governance.importer.report import ImportFailed
from routeiq_governance.importer.source import opened
from routeiq_governance.importer.target import opened as target
from routeiq_governance.importer.transfer import transfer
from routeiq_governance.store.entities import budgets, keys, members, organizations, teams, users

from .conftest import Import
from .litellm_database import OldDatabase, sealed, token


async def filled(old: OldDatabase) -> None:
    await old.add("BudgetTable", budget_id="b", max_budget=5.0, budget_duration="7d", allowed_models=["fast"])
    await old.add("BudgetTable", budget_id="plain", rpm_limit=3)
    await old.add("OrganizationTable", organization_id="o", organization_alias="Org", budget_id="b", models=["fast"])
    await old.add("ModelTable", id=4, aliases={"cheap": "fast"})
    await old.add(
        "TeamTable",
        team_id="t",
        organization_id="o",
        models=["fast"],
        model_id=4,
        members_with_roles=[{"role": "admin", "user_id": "ann"}, {"role": "user", "user_id": "bob"}],
        team_member_permissions=["/key/generate"],
    )
    await old.add("UserTable", user_id="ann", user_email="ann@example.com", user_role="internal_user", models=[])
    await old.add("UserTable", user_id="bob", sso_user_id="sso-bob", teams=["t"], models=[], max_budget=2.5)
    await old.add("TeamMembership", user_id="bob", team_id="t", budget_id="b", spend=1.0)
    await old.add("OrganizationMembership", user_id="ann", organization_id="o", user_role="org_admin")
    await old.add("ObjectPermissionTable", object_permission_id="p", mcp_servers=["github"])
    await old.add(
        "VerificationToken",
        token=token("sk-1"),
        user_id="bob",
        team_id="t",
        models=["fast"],
        object_permission_id="p",
        budget_id="plain",
        metadata={"tags": ["x"], "model_rpm_limit": {"fast": 2}, "own": 1},
        allowed_routes=["/chat/completions"],
        aliases={"a": "fast"},
    )
    await old.add("EndUserTable", user_id="c", budget_id="b", blocked=True)
    await old.add("TagTable", tag_name="x", models=[], spend=0.5, budget_id="b")
    await old.add("AccessGroupTable", access_group_id="g", access_group_name="G", access_model_names=["fast"])
    await old.add("CredentialsTable", credential_name="k", credential_values={"api_key": sealed("sk-k")})
    await old.add("ProxyModelTable", model_id="m", model_name="m", litellm_params={"model": sealed("openai/m")})


async def test_everything_comes_over_once(old: OldDatabase, bring_over: Import) -> None:
    await filled(old)
    report = await bring_over()
    counted = {line.kind: (line.found, line.imported, line.left_out) for line in report.lines.values()}
    assert counted == {
        "budgets": (2, 2, 0),
        "organizations": (1, 1, 0),
        "teams": (1, 1, 0),
        "users": (2, 2, 0),
        "members": (3, 3, 0),
        "keys": (1, 1, 0),
        "customers": (1, 1, 0),
        "tags": (1, 1, 0),
        "access_groups": (1, 1, 0),
        "credentials": (1, 1, 0),
        "models": (1, 1, 0),
    }
    again = await bring_over()
    assert again.imported == 0
    assert all(line.present == line.found for line in again.lines.values())


async def test_fields_are_where_they_belong(old: OldDatabase, bring_over: Import, document) -> None:
    await filled(old)
    await bring_over()
    async with target(document, dry=True) as store:
        connection = store._connection
        team = await teams.get(connection, "t")
        key = await keys.get(connection, token("sk-1"))
        ann, bob = await users.get(connection, "ann"), await users.get(connection, "bob")
        member = await members.get(connection, "team", "t", "bob")
        admin = await members.get(connection, "organization", "o", "ann")
        organization, budget = await organizations.get(connection, "o"), await budgets.get(connection, "b")
    assert team is not None
    assert team.settings["model_aliases"] == {"cheap": "fast"}
    assert team.settings["member_models"] == {"bob": ["fast"]}
    assert team.settings["team_member_permissions"] == ["/key/generate"]
    assert key is not None
    assert key.verifier is None
    assert (key.team_id, key.user_id, key.budget_id) == ("t", "bob", "plain")
    assert key.settings["object_permission"] == {"mcp_servers": ["github"]}
    assert key.settings["allowed_routes"] == ["/chat/completions"]
    assert key.settings["tags"] == ["x"]
    assert key.limits.model_requests_a_minute == {"fast": 2}
    assert key.meta == {"own": 1}
    assert ann is not None
    assert ann.email == "ann@example.com"
    assert bob is not None
    assert (bob.external_id, bob.limits.budget) == ("sso-bob", 2_500_000_000)
    assert member is not None
    assert (member.role, member.budget_id) == ("user", "b")
    assert admin is not None
    assert admin.role == "org_admin"
    assert organization is not None
    assert (organization.alias, organization.budget_id, organization.models) == ("Org", "b", ("fast",))
    assert budget is not None
    assert (budget.limits.budget, budget.limits.budget_duration) == (5_000_000_000, "7d")


async def test_a_dry_run_tells_the_same_and_writes_nothing(old: OldDatabase, bring_over: Import) -> None:
    await filled(old)
    told = await bring_over(dry=True)
    done = await bring_over()
    assert told.as_json() == done.as_json()


async def test_what_is_there_already_stays_as_it_is(old: OldDatabase, bring_over: Import, document) -> None:
    await old.add("UserTable", user_id="ann", user_alias="first", models=[])
    await bring_over()
    await old.add("UserTable", user_id="bob", models=[])
    connection_url = OldDatabase(old.url)
    import asyncpg

    connection = await asyncpg.connect(connection_url.url)
    await connection.execute('UPDATE "LiteLLM_UserTable" SET user_alias = $1', "second")
    await connection.close()
    report = await bring_over()
    assert (report.line("users").imported, report.line("users").present) == (1, 1)
    async with target(document, dry=True) as store:
        ann = await users.get(store._connection, "ann")
    assert ann is not None
    assert ann.alias == "first"


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        ("VerificationToken", {"token": token("sk-9"), "models": [], "team_id": "litellm-dashboard"}, "web pages"),
        ("VerificationToken", {"token": token("sk-9"), "models": [], "team_id": "gone"}, "team 'gone' does not exist"),
        ("VerificationToken", {"token": "sk-in-clear", "models": []}, "SHA-256"),
        ("VerificationToken", {"token": token("sk-9"), "models": [], "budget_duration": "a while"}, "budget_duration"),
        ("VerificationToken", {"token": token("sk-9"), "models": [], "max_budget": -1.0}, "max_budget"),
        ("TeamTable", {"team_id": "t", "models": [], "organization_id": "gone"}, "organization 'gone'"),
        ("TeamMembership", {"team_id": "gone", "user_id": "gone"}, "team does not exist"),
        ("ProxyModelTable", {"model_id": "m", "model_name": "written", "litellm_params": {}}, "YAML"),
        (
            "ProxyModelTable",
            {"model_id": "m", "model_name": "m", "litellm_params": {"model": sealed("openai/m", "another salt")}},
            "salt key",
        ),
        (
            "ProxyModelTable",
            {"model_id": "m", "model_name": "m", "litellm_params": {"model": "openai/m", "api_key": "os.environ/NONE"}},
            "variable NONE",
        ),
        (
            "ProxyModelTable",
            {"model_id": "m", "model_name": "m", "litellm_params": {"model": "openai/m", "api_base": "https://x.test"}},
            "api_key",
        ),
    ],
)
async def test_what_stays_behind_is_told_with_its_reason(
    old: OldDatabase, bring_over: Import, document, table, row, reason
) -> None:
    document["model_list"] = [{"model_name": "written"}]
    await old.add(table, **row)
    report = await bring_over()
    assert report.imported == 0
    assert [reason in each.text for each in report.reasons] == [True], report.reasons


async def test_sealed_values_without_a_salt_key_stay_behind(old: OldDatabase, bring_over: Import) -> None:
    await old.add("ProxyModelTable", model_id="m", model_name="m", litellm_params={"model": sealed("openai/m")})
    report = await bring_over(salt_key=None)
    assert "--salt-key" in report.reasons[0].text


async def test_an_older_schema_without_some_tables_and_columns_is_read(postgres, document) -> None:
    old = OldDatabase(await postgres.database())
    await postgres.execute(
        'CREATE TABLE "LiteLLM_VerificationToken" ("token" TEXT PRIMARY KEY, "models" TEXT[])', old.url
    )
    await old.add("VerificationToken", token=token("sk-1"), models=[])
    report = await transfer(opened(old.url), document, salt_key=None, environment={})
    assert report.imported == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("postgresql://", "mysql://"),
        lambda url: url.replace("postgres@", "postgres:a-canary-password@").rpartition("/")[0] + "/nowhere",
        lambda url: "postgresql://postgres:a-canary-password@127.0.0.1:1/x",
        lambda url: url + "?schema=elsewhere",
    ],
)
async def test_a_database_that_cannot_be_read_is_one_clear_line(old: OldDatabase, document, change) -> None:
    with pytest.raises(ImportFailed) as failed:
        await transfer(opened(change(old.url)), document, salt_key=None, environment={})
    assert "canary" not in str(failed.value)
    assert "\n" not in str(failed.value)


async def test_an_address_as_prisma_writes_it_is_understood(old: OldDatabase, document) -> None:
    url = old.url + "?schema=public&connection_limit=5&pgbouncer=true"
    report = await transfer(opened(url), document, salt_key=None, environment={})
    assert report.imported == 0
