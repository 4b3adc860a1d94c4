"""SCIM 2.0 over HTTP: what RFC 7644 asks for, and the dialects of Okta and Entra ID."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from routeiq_oidc.scim.changes import Changes
from routeiq_oidc.scim.errors import ScimError
from routeiq_oidc.scim.paths import ENTERPRISE, GROUP, USER, Path, parse_filter, parse_path
from routeiq_sdk import PluginError
from routeiq_sdk.values.directory import DirectoryGroup, DirectoryUser
from routeiq_testkit.gateway import TestGateway

from .conftest import Open
from .directory import MemoryDirectory
from .issuer import Issuer

TOKEN = "scim-token-5c1f0e8a7b"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ANN = {
    "schemas": [USER],
    "userName": "ann@example.com",
    "externalId": "00u1",
    "name": {"givenName": "Ann", "familyName": "Lee"},
    "emails": [{"value": "ann@example.com", "type": "work", "primary": True}],
    "active": True,
}


@pytest_asyncio.fixture
async def running(open_gateway: Open, issuer: Issuer) -> TestGateway:
    return await open_gateway(issuers=[issuer.configured(upsert=True)], scim={"token": TOKEN})


@pytest_asyncio.fixture
async def scim(running: TestGateway) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/scim+json"}
    async with httpx.AsyncClient(base_url=running.url + "/scim/v2", headers=headers) as client:
        yield client


async def made(scim: httpx.AsyncClient, path: str = "/Users", /, **body: Any) -> dict[str, Any]:
    answer = await scim.post(path, json=body or ANN)
    assert answer.status_code == 201, answer.text
    resource: dict[str, Any] = answer.json()
    return resource


async def patch(scim: httpx.AsyncClient, resource: dict[str, Any], *operations: dict[str, Any]) -> httpx.Response:
    body = {"schemas": [PATCH], "Operations": list(operations)}
    return await scim.patch(resource["meta"]["location"].removeprefix("/scim/v2"), json=body)


async def test_a_user_is_created_read_replaced_and_deleted(scim: httpx.AsyncClient, directory: MemoryDirectory) -> None:
    created = await scim.post("/Users", json=ANN)
    assert created.status_code == 201
    assert created.headers["content-type"] == "application/scim+json"
    user = created.json()
    assert created.headers["location"] == user["meta"]["location"] == f"/scim/v2/Users/{user['id']}"
    assert {key: user[key] for key in ANN} == ANN
    stored = directory.users[user["id"]]
    assert (stored.email, stored.name, stored.external_id) == ("ann@example.com", "Ann Lee", "00u1")
    path = f"/Users/{user['id']}"
    assert (await scim.get(path)).json() == user
    changed = await scim.put(path, json={**ANN, "displayName": "Ann L.", ENTERPRISE: {"department": "Research"}})
    assert changed.status_code == 200
    assert changed.json()["displayName"] == "Ann L."
    assert changed.json()[ENTERPRISE] == {"department": "Research"}
    gone = await scim.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await scim.get(path)).status_code == 404
    assert (await scim.delete(path)).status_code == 404


async def test_what_the_directory_knows_beyond_scim_stays(scim: httpx.AsyncClient, directory: MemoryDirectory) -> None:
    directory.add(
        DirectoryUser("ann", "ann@example.com", organization="acme", roles=frozenset({"x"}), attributes={"own": "1"})
    )
    assert (await scim.put("/Users/ann", json=ANN)).status_code == 200
    user = directory.users["ann"]
    assert (user.organization, user.roles, user.attributes["own"]) == ("acme", frozenset({"x"}), "1")


async def test_names_and_external_ids_are_taken_once(scim: httpx.AsyncClient) -> None:
    await made(scim)
    bob = await made(scim, userName="bob", externalId="00u2")
    for body in (
        {**ANN, "externalId": "00u3"},
        {"userName": "ANN@example.com"},
        {"userName": "c", "externalId": "00u1"},
    ):
        answer = await scim.post("/Users", json=body)
        assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")
    assert (await scim.put(f"/Users/{bob['id']}", json=ANN)).status_code == 409
    assert (
        await patch(scim, bob, {"op": "replace", "path": "userName", "value": "ann@example.com"})
    ).status_code == 409


async def test_lists_are_filtered_and_paged(scim: httpx.AsyncClient) -> None:
    for number in range(7):
        await made(scim, userName=f"user-{number}", externalId=f"x-{number}", emails=[{"value": f"{number}@a.example"}])
    seen: list[str] = []
    for start in (1, 4, 7, 10):
        answer = (await scim.get("/Users", params={"startIndex": start, "count": 3})).json()
        assert (answer["totalResults"], answer["startIndex"]) == (7, start)
        assert answer["itemsPerPage"] == len(answer["Resources"])
        seen += [user["userName"] for user in answer["Resources"]]
    assert sorted(seen) == [f"user-{number}" for number in range(7)]
    assert (await scim.get("/Users", params={"count": 0})).json()["totalResults"] == 7
    assert len((await scim.get("/Users", params={"startIndex": -5, "count": 2})).json()["Resources"]) == 2
    for text, name in (
        ('userName eq "USER-3"', "user-3"),
        ('USERNAME Eq "user-3"', "user-3"),
        (f'{USER}:userName eq "user-3"', "user-3"),
        ('externalId eq "x-4"', "user-4"),
        ('emails.value eq "5@a.example"', "user-5"),
    ):
        found = (await scim.get("/Users", params={"filter": text})).json()
        assert [user["userName"] for user in found["Resources"]] == [name], text
    empty = (await scim.get("/Users", params={"filter": 'userName eq "nobody"'})).json()
    assert (empty["totalResults"], empty["Resources"]) == (0, [])
    for bad in ('userName co "u"', "userName eq user", 'password eq "x"', 'userName eq "a" or "b"', "x" * 3000):
        answer = await scim.get("/Users", params={"filter": bad})
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter"), bad


async def test_a_search_in_the_body_is_a_list(scim: httpx.AsyncClient) -> None:
    await made(scim)
    body = {"filter": 'userName eq "ann@example.com"', "attributes": ["userName"], "startIndex": 1, "count": 1}
    (found,) = (await scim.post("/Users/.search", json=body)).json()["Resources"]
    assert set(found) == {"schemas", "id", "meta", "userName"}
    nothing = await scim.get("/Machines/7")
    assert (nothing.status_code, nothing.json()["status"]) == (404, "404")


async def test_saying_nothing_of_active_lets_nobody_in_again(scim: httpx.AsyncClient) -> None:
    ann = await made(scim, **{**ANN, "active": False})
    silent = {key: value for key, value in ANN.items() if key != "active"}
    assert (await scim.put(f"/Users/{ann['id']}", json=silent)).json()["active"] is False
    assert (await patch(scim, ann, {"op": "remove", "path": "active"})).json()["active"] is False


async def test_a_user_that_was_not_provisioned_is_found_by_its_address(
    scim: httpx.AsyncClient, directory: MemoryDirectory
) -> None:
    directory.add(DirectoryUser("u-1", email="old@example.com"))
    found = (await scim.get("/Users", params={"filter": 'userName eq "old@example.com"'})).json()
    assert [user["id"] for user in found["Resources"]] == ["u-1"]


async def test_okta_deactivates_renames_and_changes_members(
    scim: httpx.AsyncClient, directory: MemoryDirectory
) -> None:
    ann, bob = await made(scim), await made(scim, userName="bob")
    assert (await patch(scim, ann, {"op": "replace", "value": {"active": False}})).json()["active"] is False
    assert directory.users[ann["id"]].active is False
    group = await made(scim, "/Groups", schemas=[GROUP], displayName="Research", members=[{"value": ann["id"]}])
    assert directory.groups[group["id"]].members == {ann["id"]}
    renamed = {"op": "replace", "value": {"id": group["id"], "displayName": "Labs"}}
    assert (await patch(scim, group, renamed)).json()["displayName"] == "Labs"
    added = {"op": "add", "path": "members", "value": [{"value": bob["id"], "display": "bob"}]}
    removed = {"op": "remove", "path": f'members[value eq "{ann["id"]}"]'}
    assert (await patch(scim, group, added, removed)).status_code == 200
    assert directory.groups[group["id"]].members == {bob["id"]}
    everybody = {"op": "replace", "path": "members", "value": [{"value": ann["id"]}, {"value": bob["id"]}]}
    assert (await patch(scim, group, everybody)).status_code == 200
    assert directory.groups[group["id"]].members == {ann["id"], bob["id"]}


async def test_entra_writes_words_for_truth_paths_for_keys_and_values_for_members(
    scim: httpx.AsyncClient, directory: MemoryDirectory
) -> None:
    ann = await made(scim)
    operations: list[dict[str, Any]] = [
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "ann.lee@example.com"},
        {"op": "Add", "path": "name.formatted", "value": "Ann M. Lee"},
        {"op": "Replace", "value": {"displayName": "Ann", "name.givenName": "Anna", f"{ENTERPRISE}:department": "R&D"}},
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": "00u9"},
        {"op": "Add", "path": 'phoneNumbers[type eq "work"].value', "value": "1"},
        {"op": "Remove", "path": "name.familyName"},
    ]
    changed = (await patch(scim, ann, *operations)).json()
    assert changed["active"] is False
    assert changed["emails"][0]["value"] == "ann.lee@example.com"
    assert changed["name"] == {"formatted": "Ann M. Lee", "givenName": "Anna"}
    assert changed["displayName"] == "Ann"
    assert changed[ENTERPRISE] == {"department": "R&D"}
    group = await made(scim, "/Groups", displayName="Research", externalId="g-1")
    member = {"path": "members", "value": [{"value": ann["id"]}]}
    for op, members in (("Add", {ann["id"]}), ("Add", {ann["id"]}), ("Remove", set())):
        assert (await patch(scim, group, {"op": op, **member})).status_code == 200
        assert directory.groups[group["id"]].members == members
    listed = await scim.get("/Groups", params={"filter": 'externalId eq "g-1"', "excludedAttributes": "members"})
    assert "members" not in listed.json()["Resources"][0]


async def test_a_patch_is_done_whole_or_not_at_all(scim: httpx.AsyncClient, directory: MemoryDirectory) -> None:
    ann = await made(scim)
    before = directory.users[ann["id"]]
    good = {"op": "replace", "path": "displayName", "value": "Changed"}
    for bad, kind in (
        ({"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "remove", "path": "userName"}, "invalidValue"),
        ({"op": "move", "path": "active", "value": True}, "invalidSyntax"),
        ({"op": "replace", "path": "a b[", "value": 1}, "invalidPath"),
        ({"op": "replace", "path": "id", "value": "other"}, "mutability"),
        ({"op": "add", "path": "emails", "value": "no list"}, "invalidValue"),
    ):
        answer = await patch(scim, ann, good, bad)
        assert (answer.status_code, answer.json()["scimType"]) == (400, kind), bad
        assert directory.users[ann["id"]] == before
    malformed: tuple[dict[str, Any], ...] = ({}, {"Operations": []}, {"Operations": "x"}, {"Operations": [7]})
    for body in malformed:
        assert (await scim.patch(f"/Users/{ann['id']}", json=body)).status_code == 400


async def test_changes_of_one_group_at_the_same_time_lose_nothing(
    scim: httpx.AsyncClient, directory: MemoryDirectory
) -> None:
    people = {f"u-{number}" for number in range(20)}
    directory.add(*(DirectoryUser(id) for id in people))
    group = await made(scim, "/Groups", displayName="Research")
    joins = [{"op": "add", "path": "members", "value": [{"value": id}]} for id in sorted(people)]
    answers = await asyncio.gather(*(patch(scim, group, join) for join in joins))
    assert {answer.status_code for answer in answers} == {200}
    assert directory.groups[group["id"]].members == people
    created = await asyncio.gather(*(scim.post("/Users", json=ANN) for _ in range(10)))
    assert sorted(answer.status_code for answer in created) == [201] + [409] * 9


async def test_members_are_users_that_exist(scim: httpx.AsyncClient) -> None:
    for member in ({"value": "nobody"}, {"value": ""}, {}, {"value": "x", "type": "Group"}):
        answer = await scim.post("/Groups", json={"displayName": "G", "members": [member]})
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")


async def test_groups_are_listed_replaced_and_deleted(scim: httpx.AsyncClient, directory: MemoryDirectory) -> None:
    ann = await made(scim)
    group = await made(scim, "/Groups", displayName="Research")
    path = f"/Groups/{group['id']}"
    put = await scim.put(path, json={"displayName": "Labs", "members": [{"value": ann["id"]}]})
    assert put.json()["members"] == [{"value": ann["id"], "$ref": f"/scim/v2/Users/{ann['id']}", "type": "User"}]
    for text, count in (('displayName eq "Labs"', 1), ('displayName eq "Research"', 0)):
        assert (await scim.get("/Groups", params={"filter": text})).json()["totalResults"] == count
    assert (await scim.delete(path)).status_code == 204
    assert directory.groups == {}
    assert (await scim.get(path)).status_code == 404


async def test_a_user_deleted_or_deactivated_is_out_at_once(
    scim: httpx.AsyncClient,
    running: TestGateway,
    issuer: Issuer,
    directory: MemoryDirectory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[tuple[str, str]] = []
    announce = Changes.announce

    async def noted(self: Changes, what: str, id: str) -> None:
        told.append((what, id))
        await announce(self, what, id)

    monkeypatch.setattr(Changes, "announce", noted)

    async def call(sub: str) -> int:
        headers = {"authorization": f"Bearer {issuer.token(sub=sub)}"}
        async with running.session.get("/v1/models", headers=headers) as response:
            return response.status

    ann = await made(scim)
    bob = await made(scim, userName="bob", externalId="00u2")
    assert (await call("00u1"), await call("00u2")) == (200, 200)
    await patch(scim, ann, {"op": "replace", "value": {"active": False}})
    assert await call("00u1") == 401
    assert (await scim.delete(f"/Users/{bob['id']}")).status_code == 204
    assert await call("00u2") == 401, "a token does not create again whom provisioning deleted"
    assert set(directory.users) == {ann["id"]}
    # What whoever keeps something for users lets go of it by.
    assert told[2:] == [("user.deactivated", ann["id"]), ("user.deleted", bob["id"])]
    await made(scim, userName="bob", externalId="00u2")
    assert await call("00u2") == 200


async def test_its_own_token_opens_scim_and_nothing_else(
    scim: httpx.AsyncClient, running: TestGateway, issuer: Issuer
) -> None:
    for key, status in ((running.key, 200), (TOKEN, 200), (TOKEN + "x", 401), (issuer.token(), 403)):
        answer = await scim.get("/Users", headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == status
    for path in ("/v1/models", "/routeiq/v1/status"):
        async with running.session.get(path, headers={"authorization": f"Bearer {TOKEN}"}) as response:
            assert response.status == 401


async def test_a_role_for_all_organizations_provisions_and_one_for_a_single_one_does_not(
    open_gateway: Open, issuer: Issuer, directory: MemoryDirectory
) -> None:
    row = issuer.configured(role_map={"boss": "owner", "clerk": "viewer"}, claims={"organization": "org"})
    running = await open_gateway(issuers=[row], scim={})
    for claims, status in (
        ({"roles": ["boss"]}, 200),
        ({"roles": ["clerk"]}, 403),
        ({"roles": ["boss"], "org": "acme"}, 403),
        ({"roles": ["owner"]}, 403),
    ):
        headers = {"authorization": f"Bearer {issuer.token(**claims)}"}
        async with running.session.get("/scim/v2/Users", headers=headers) as response:
            assert response.status == status, claims


async def test_a_client_of_one_organization_sees_no_other(
    open_gateway: Open, issuer: Issuer, directory: MemoryDirectory
) -> None:
    directory.add(DirectoryUser("eve", organization="globex"), DirectoryGroup("g", "Secret", organization="globex"))
    running = await open_gateway(issuers=[issuer.configured()], scim={"token": TOKEN, "organization": "acme"})
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=running.url + "/scim/v2", headers=headers) as scim:
        ann = await made(scim)
        assert directory.users[ann["id"]].organization == "acme"
        assert [user["id"] for user in (await scim.get("/Users")).json()["Resources"]] == [ann["id"]]
        assert (await scim.get("/Groups")).json()["totalResults"] == 0
        for path in ("/Users/eve", "/Groups/g"):
            assert (await scim.get(path)).status_code == 404
            assert (await scim.put(path, json={"userName": "x", "displayName": "x"})).status_code == 404
            assert (await scim.patch(path, json={"Operations": [{"op": "remove", "path": "title"}]})).status_code == 404
            assert (await scim.delete(path)).status_code == 404
        assert (await scim.get("/Users", params={"filter": 'id eq "eve"'})).json()["totalResults"] == 0
        body = {"displayName": "G", "members": [{"value": "eve"}]}
        assert (await scim.post("/Groups", json=body)).status_code == 400
    assert set(directory.groups) == {"g"}


async def test_what_scim_can_do_is_described(scim: httpx.AsyncClient) -> None:
    config = (await scim.get("/ServiceProviderConfig")).json()
    assert (config["patch"]["supported"], config["bulk"]["supported"]) == (True, False)
    types = (await scim.get("/ResourceTypes")).json()
    assert [each["id"] for each in types["Resources"]] == ["User", "Group"]
    schemas = (await scim.get("/Schemas")).json()
    assert {each["id"] for each in schemas["Resources"]} == {USER, GROUP, ENTERPRISE}
    for listed in (types, schemas):
        for each in listed["Resources"]:
            assert (await scim.get(each["meta"]["location"].removeprefix("/scim/v2"))).json() == each
    answer = await scim.get("/Schemas/nothing")
    assert (answer.status_code, answer.json()["status"]) == (404, "404")


async def test_errors_have_scims_shape_and_outages_say_when_to_come_again(
    scim: httpx.AsyncClient, directory: MemoryDirectory
) -> None:
    assert (await scim.post("/Users", content=b"[" * 100_000)).status_code == 400  # the gateway's own bound
    for content in (b"{", b"[]", b"", b"[" * 60):
        answer = await scim.post("/Users", content=content)
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidSyntax")
        assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    bad: tuple[dict[str, Any], ...] = (
        {},
        {"userName": ""},
        {"userName": 7},
        {"userName": "x" * 256},
        {"userName": "a\nb"},
    )
    for body in bad:
        answer = await scim.post("/Users", json=body)
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue"), body
    assert (await scim.get("/Users", params={"count": "many"})).status_code == 400
    directory.away = True
    for answer in (await scim.get("/Users"), await scim.post("/Users", json=ANN)):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["content-type"] == "application/scim+json"


async def test_scim_without_a_directory_does_not_start(open_gateway: Open, issuer: Issuer) -> None:
    with pytest.raises(PluginError, match="without a directory"):
        await open_gateway(directory=False, issuers=[issuer.configured()], scim={"token": TOKEN})


def test_paths_and_filters_are_read_without_case_and_nonsense_is_refused() -> None:
    assert parse_path('Members[Value eq "a\\"b"]') == Path("members", key="value", value='a"b')
    assert parse_path("emails[primary eq True].value") == Path("emails", "value", key="primary", value=True)
    assert parse_path(f"{USER}:userName") == Path("username")
    assert parse_path(f"{ENTERPRISE}:department") == Path("department", urn=ENTERPRISE)
    assert parse_filter(f'{GROUP}:displayName eq "a b"') == ("displayname", "a b")
    for text in ("", "a..b", 'a[b eq "c"', 'a[b co "c"]', "a" * 3000, "1a", "a b"):
        with pytest.raises(ScimError):
            parse_path(text)
