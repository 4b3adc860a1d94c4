"""Keys are read by who may see them: the own one, the others of one's place, page by page; of other tenants nothing."""

from __future__ import annotations

from .client import Client


async def test_a_key_reads_itself_without_naming_it(master: Client) -> None:
    made = await master.make(key_alias="me")
    caller = master.with_key(made["key"])
    told = await caller.get("/key/info")
    assert (told["key"], told["info"]["key_alias"]) == (made["token"], "me")
    health = await caller.post("/key/health")
    assert (health["key"], health["key_id"]) == ("healthy", made["token"])
    refused = await master.refused("/key/info", {}, query=[("x", "y")])
    assert refused == (400, "invalid_request_error", "key"), "the master key is none of ours"


async def test_a_key_is_named_by_its_text_or_its_hash(master: Client) -> None:
    made = await master.make()
    for name in (made["key"], made["token"]):
        told = await master.get("/key/info", key=name)
        assert (told["key"], told["info"]["token"]) == (name, made["token"])
    assert (await master.refused("/key/info", {}, query=[("key", "sk-ghost")]))[0] == 404


async def test_others_keys_are_403_at_home_and_404_elsewhere(tenants: Client) -> None:
    uma, tess = await tenants.as_user("uma"), await tenants.as_user("tess")
    for user, role in (("uma", "user"), ("tess", "admin")):
        await tenants.post("/team/member_add", team_id="blue", member={"user_id": user, "role": role})
    of_team, of_rival = await tenants.make(team_id="blue"), await tenants.make(team_id="red")
    assert (await uma.refused("/key/info", {}, query=[("key", of_team["token"])]))[0] == 403
    assert (await tess.get("/key/info", key=of_team["token"]))["info"]["team_id"] == "blue"
    for caller in (uma, tess):
        assert (await caller.refused("/key/info", {}, query=[("key", of_rival["token"])]))[0] == 404
        for path in ("/key/update", "/key/block", "/key/regenerate"):
            assert (await caller.refused(path, {"key": of_rival["token"]}))[0] == 404
        assert await caller.post("/key/delete", keys=[of_rival["token"]]) == {"deleted_keys": []}
        assert (await tenants.get("/key/info", key=of_rival["token"]))["info"]["team_id"] == "red"
        listed = await caller.post("/v2/key/info", keys=[of_rival["token"], of_team["token"]])
        assert of_rival["token"] not in {row["token"] for row in listed["info"]}
    seen = (await tess.get("/key/list", return_full_object="true"))["keys"]
    assert {key["team_id"] for key in seen} == {"blue", None}
    assert of_rival["token"] not in {key["token"] for key in seen}


async def test_lists_have_filters_pages_and_an_order(tenants: Client) -> None:
    for number in range(7):
        await tenants.make(key_alias=f"key-{number}", team_id="blue" if number % 2 else "red")
    page = await tenants.get("/key/list", page="2", size="3", sort_by="key_alias", sort_order="asc")
    assert (page["total_count"], page["current_page"], page["total_pages"], len(page["keys"])) == (7, 2, 3, 3)
    whole = await tenants.get("/key/list", return_full_object="true", sort_by="key_alias", sort_order="asc", size="100")
    assert [key["key_alias"] for key in whole["keys"]] == [f"key-{number}" for number in range(7)]
    assert page["keys"] == [key["token"] for key in whole["keys"]][3:6]
    for query, count in (
        ({"team_id": "blue"}, 3),
        ({"organization_id": "rival"}, 4),
        ({"key_alias": "key-3"}, 1),
        ({"key_alias": "KEY"}, 7),
        ({"key_hash": whole["keys"][0]["token"]}, 1),
        ({"user_id": "nobody"}, 0),
    ):
        assert (await tenants.get("/key/list", **query))["total_count"] == count, query
    aliases = await tenants.get("/key/aliases", search="key-", size="2", page="4")
    assert (aliases["aliases"], aliases["total_count"]) == (["key-6"], 7)


async def test_a_walk_by_key_sees_each_once_though_keys_come_and_go(master: Client) -> None:
    made = {(await master.make())["token"] for _ in range(8)}
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await master.get("/key/list", after=after, size="3")
        seen += page["keys"]
        after = page["next"]
        if page["keys"]:
            await master.post("/key/delete", keys=[page["keys"][0]])
    assert sorted(seen) == sorted(made)


async def test_queries_that_make_no_sense_are_refused(master: Client) -> None:
    for name, value in (
        ("page", "0"),
        ("page", "x"),
        ("size", "100000"),
        ("sort_by", "verifier"),
        ("sort_order", "up"),
        ("return_full_object", "maybe"),
    ):
        status, _, param = await master.refused("/key/list", {}, query=[(name, value)])
        assert (status, param) == (400, name)
    hostile = "' OR 1=1; DROP TABLE routeiq_keys; --%_\\"
    for name in ("user_id", "team_id", "organization_id", "key_alias", "key_hash", "after"):
        assert (await master.get("/key/list", **{name: hostile}))["total_count"] == 0
