"""Promise: `/v1/skills` works as Anthropic documents it, for its own client, with each tenant's skills apart."""

from __future__ import annotations

import asyncio
import io
import random
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anthropic
import pytest
import pytest_asyncio
from anthropic import AsyncAnthropic

from routeiq_testkit.gateway import TestGateway

from .conftest import Serve
from .writing import skill_md, zip_of

Keyed = Callable[..., Awaitable[str]]


def client_of(gateway: TestGateway, key: str | None = None) -> AsyncAnthropic:
    return AsyncAnthropic(api_key=key or gateway.key, base_url=gateway.url, max_retries=0)


def files_of(name: str, description: str = "Does a thing.", **more: bytes) -> list[tuple[str, bytes]]:
    files = {"SKILL.md": skill_md(name, description), **more}
    return [(f"{name}/{path}", data) for path, data in files.items()]


@pytest_asyncio.fixture
async def kept(serve: Serve) -> TestGateway:
    """A gateway that keeps uploads."""
    return await serve(sources=[], uploads={})


@pytest_asyncio.fixture
async def governed(serve: Serve) -> AsyncIterator[tuple[TestGateway, Keyed]]:
    """A gateway with keys, and a function that makes one."""
    gateway = await serve({"governance": {}}, sources=[], uploads={"max_mib": 0.01, "max_skills": 3, "max_versions": 3})

    async def make(**fields: Any) -> str:
        async with gateway.session.post("/key/generate", json=fields) as response:
            assert response.status == 200, await response.text()
            key: str = (await response.json())["key"]
            return key

    yield gateway, make


async def test_anthropics_client_uploads_lists_downloads_and_deletes(kept: TestGateway) -> None:
    async with client_of(kept) as client:
        skills = client.beta.skills
        made = await skills.create(files=files_of("pdf", **{"a/b.txt": b"1"}), display_name="PDF tools")
        assert (made.type, made.display_name, made.source.type) == ("skill", "PDF tools", "custom")
        assert await skills.retrieve(made.id) == made
        second = await skills.versions.create(made.id, files=files_of("pdf", "Better."))
        assert (second.name, second.description, second.skill_id) == ("pdf", "Better.", made.id)
        versions = [version async for version in skills.versions.list(made.id)]
        assert [version.id for version in versions] == [second.id, made.latest_version_id]
        assert (await skills.retrieve(made.id)).latest_version_id == second.id
        assert await skills.versions.retrieve(made.latest_version_id, skill_id=made.id) == versions[1]
        assert (await skills.versions.retrieve("latest", skill_id=made.id)).id == second.id
        data = await (await skills.versions.download(made.latest_version_id, skill_id=made.id)).read()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.namelist() == ["pdf/SKILL.md", "pdf/a/b.txt"]
            assert archive.read("pdf/SKILL.md") == skill_md("pdf")
        gone = await skills.versions.delete(made.latest_version_id, skill_id=made.id)
        assert (gone.id, gone.type) == (made.latest_version_id, "skill_version_deleted")
        with pytest.raises(anthropic.NotFoundError):
            await skills.versions.download(made.latest_version_id, skill_id=made.id)
        assert (await skills.delete(made.id)).type == "skill_deleted"
        with pytest.raises(anthropic.NotFoundError):
            await skills.retrieve(made.id)
        assert [skill async for skill in skills.list()] == []


async def test_pages_follow_one_another(kept: TestGateway) -> None:
    async with client_of(kept) as client:
        made = [(await client.beta.skills.create(files=files_of(f"s{number}"))).id for number in range(5)]
        page = await client.beta.skills.list(limit=2)
        assert [skill.id for skill in page.data] == made[:2:-1]
        assert [skill.id async for skill in client.beta.skills.list(limit=2)] == made[::-1]
        assert [skill async for skill in client.beta.skills.list(source="anthropic")] == []
    for query in ("limit=0", "limit=1001", "limit=x", "limit=%2b1", "page=nonsense", "page=page_%ff"):
        async with kept.session.get(f"/v1/skills?{query}") as response:
            assert response.status == 400
            assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_a_client_of_the_first_beta_gets_its_own_form(kept: TestGateway) -> None:
    old = {"anthropic-beta": "files-api-2025-04-14,skills-2025-10-02"}
    async with client_of(kept) as client:
        made = await client.beta.skills.create(files=files_of("pdf"))
    async with kept.session.get(f"/v1/skills/{made.id}", headers=old) as response:
        told = await response.json()
    assert told.keys() == {"id", "type", "created_at", "updated_at", "display_title", "latest_version", "source"}
    assert (told["source"], told["display_title"]) == ("custom", "pdf")
    assert told["latest_version"].isdecimal()
    async with kept.session.get(f"/v1/skills/{made.id}/versions/{told['latest_version']}", headers=old) as response:
        version = await response.json()
    assert (version["version"], version["directory"]) == (told["latest_version"], "pdf")


@pytest.mark.parametrize("root", ["", "pdf/"])
async def test_one_archive_does_for_all_files(kept: TestGateway, root: str) -> None:
    archive = zip_of({f"{root}SKILL.md": skill_md("pdf"), f"{root}a/b": b"1", "__MACOSX/._x": b"litter"})
    async with client_of(kept) as client:
        made = await client.beta.skills.create(files=[("pdf.zip", archive)])
        data = await (await client.beta.skills.versions.download("latest", skill_id=made.id)).read()
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.namelist() == ["pdf/SKILL.md", "pdf/a/b"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("pdf/README.md", b"x")], "SKILL.md"),
        ([("SKILL/SKILL.md", skill_md("pdf"))], "have to be the same"),
        ([*files_of("pdf"), ("other/x", b"")], "one folder"),
        ([*files_of("pdf"), ("pdf/SKILL.md", b"")], "twice"),
        ([*files_of("pdf"), ("pdf/skill.md", b"")], "case"),
        ([*files_of("pdf"), ("pdf/../../x", b"")], "'..'"),
        ([*files_of("pdf"), ("/etc/cron.d/x", b"")], "absolute"),
        ([*files_of("pdf"), ("pdf/.env", b"")], "hidden"),
        ([*files_of("pdf"), *((f"pdf/f{number}", b"") for number in range(520))], "files"),
    ],
)
async def test_what_is_no_skill_is_refused_with_its_reason(
    kept: TestGateway, files: list[tuple[str, bytes]], said: str
) -> None:
    async with client_of(kept) as client:
        with pytest.raises(anthropic.BadRequestError, match=said):
            await client.beta.skills.create(files=files)
        assert [skill async for skill in client.beta.skills.list()] == []


async def test_a_broken_form_is_refused(kept: TestGateway) -> None:
    part = b'--b\r\ncontent-disposition: form-data; name="files[]"; filename="p/SKILL.md"\r\n\r\n'
    for kind, body in (
        ("application/json", b"{}"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"nonsense"),
        ("multipart/form-data; boundary=b", part + skill_md("p")),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=" + "b" * 500, b"x"),
        ("multipart/form-data; boundary=b", part.replace(b"files[]", b"other") + b"\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nx: " + b"y" * 20_000 + b"\r\n\r\n\r\n--b--\r\n"),
    ):
        async with kept.session.post("/v1/skills", data=body, headers={"content-type": kind}) as response:
            assert response.status == 400, (kind[:60], body[:60])
            assert (await response.json())["type"] == "error"


async def test_another_tenants_skill_is_not_there(governed: tuple[TestGateway, Keyed]) -> None:
    gateway, make = governed
    async with gateway.session.post("/team/new", json={"team_alias": "red"}) as response:
        red = (await response.json())["team_id"]
    keys = [await make(team_id=red), await make(team_id=red), await make(user_id="blue"), await make(user_id="green")]
    mine, mate, blue, green = (client_of(gateway, key) for key in keys)
    made = await mine.beta.skills.create(files=files_of("pdf"))
    assert (await mate.beta.skills.retrieve(made.id)).id == made.id
    for other in (blue, green, client_of(gateway)):
        skills = other.beta.skills
        assert [skill async for skill in skills.list()] == []
        for attempt in (
            lambda skills=skills: skills.retrieve(made.id),
            lambda skills=skills: skills.delete(made.id),
            lambda skills=skills: skills.versions.list(made.id),
            lambda skills=skills: skills.versions.create(made.id, files=files_of("pdf")),
            lambda skills=skills: skills.versions.retrieve("latest", skill_id=made.id),
            lambda skills=skills: skills.versions.delete("latest", skill_id=made.id),
            lambda skills=skills: skills.versions.download("latest", skill_id=made.id),
        ):
            with pytest.raises(anthropic.NotFoundError):
                await attempt()
    assert (await mine.beta.skills.retrieve(made.id)).latest_version_id == made.latest_version_id


async def test_ids_are_no_paths(kept: TestGateway) -> None:
    for id in (
        "..",
        "%2e%2e",
        "..%2f..%2fx",
        "skill_..%2f..%2f..%2fetc",
        "skill_%00",
        "skill_" + "a" * 100,
        "*",
        "skill_*",
    ):
        for below in ("", "/versions", "/versions/latest", "/versions/latest/content"):
            async with kept.session.get(f"{kept.url}/v1/skills/{id}{below}") as response:
                assert response.status in (400, 404), (id, below)
            async with kept.session.delete(f"{kept.url}/v1/skills/{id}") as response:
                assert response.status in (400, 404, 405), id


async def test_a_tenant_has_a_budget_and_gets_room_back(governed: tuple[TestGateway, Keyed]) -> None:
    gateway, make = governed
    noise = random.Random(1).randbytes(4000)
    async with client_of(gateway, await make(user_id="a")) as a, client_of(gateway, await make(user_id="b")) as b:
        first = await a.beta.skills.create(files=files_of("one", f=noise))
        await a.beta.skills.create(files=files_of("two", f=noise))
        for attempt in (
            a.beta.skills.create(files=files_of("three", f=noise)),
            a.beta.skills.versions.create(first.id, files=files_of("one", f=noise)),
        ):
            with pytest.raises(anthropic.RequestTooLargeError, match="bytes"):
                await attempt
        await b.beta.skills.create(files=files_of("one", f=noise))
        await a.beta.skills.delete(first.id)
        third = await a.beta.skills.create(files=files_of("three"))
        for _ in range(2):
            await a.beta.skills.versions.create(third.id, files=files_of("three"))
        with pytest.raises(anthropic.RequestTooLargeError, match="versions"):
            await a.beta.skills.versions.create(third.id, files=files_of("three"))
        await a.beta.skills.create(files=files_of("four"))
        with pytest.raises(anthropic.RequestTooLargeError, match="skills"):
            await a.beta.skills.create(files=files_of("five"))


async def test_uploads_at_once_pass_no_budget_and_lose_no_version(governed: tuple[TestGateway, Keyed]) -> None:
    gateway, make = governed
    async with client_of(gateway, await make(user_id="a")) as client:
        skills = client.beta.skills
        outcomes = await asyncio.gather(
            *(skills.create(files=files_of(f"s{number}")) for number in range(12)), return_exceptions=True
        )
        made = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert len(made) == 3
        assert all(isinstance(one, anthropic.RequestTooLargeError) for one in outcomes if one not in made)
        assert {skill.id async for skill in skills.list()} == {skill.id for skill in made}
        await asyncio.gather(*(skills.versions.create(made[0].id, files=files_of(files_name(made[0]))) for _ in "12"))
        versions = [version async for version in skills.versions.list(made[0].id)]
        assert len(versions) == 3
        assert len({version.id for version in versions}) == 3


def files_name(skill: Any) -> str:
    name: str = skill.display_name
    return name


async def test_a_version_keeps_the_name(kept: TestGateway) -> None:
    async with client_of(kept) as client:
        made = await client.beta.skills.create(files=files_of("pdf"))
        with pytest.raises(anthropic.BadRequestError, match="name"):
            await client.beta.skills.versions.create(made.id, files=files_of("docx"))


async def test_uploads_outlive_a_restart(serve: Serve, kept: TestGateway) -> None:
    async with client_of(kept) as client:
        made = await client.beta.skills.create(files=files_of("pdf"))
    await kept.app.reload()
    async with client_of(kept) as client:
        assert (await client.beta.skills.retrieve(made.id)).id == made.id


async def test_it_takes_a_key_and_is_not_there_unless_asked_for(serve: Serve, kept: TestGateway) -> None:
    async with client_of(kept, "sk-nobody-000000000000") as nobody:
        with pytest.raises(anthropic.AuthenticationError):
            await nobody.beta.skills.create(files=files_of("pdf"))
    without = await serve(sources=[])
    async with client_of(without) as client:
        with pytest.raises(anthropic.NotFoundError):
            await client.beta.skills.list()
