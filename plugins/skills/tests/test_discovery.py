"""Promise: both drafts of Agent Skills Discovery are served with digests that hold, to those who may, and nothing
besides."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from routeiq_sdk import ConfigError
from routeiq_testkit.gateway import TestGateway

from .conftest import Serve
from .writing import skill_md, write_skill

NEW, OLD = "/.well-known/agent-skills", "/.well-known/skills"


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


async def got(gateway: TestGateway, path: str, **headers: str) -> tuple[int, Any, bytes]:
    async with gateway.session.get(f"{gateway.url}{path}", headers=headers) as response:
        return response.status, response.headers, await response.read()


async def index(gateway: TestGateway, path: str) -> Any:
    async with gateway.session.get(path) as response:
        assert response.status == 200
        return await response.json()


async def test_what_the_new_index_names_is_there_with_its_digest(serve: Serve, folder: Path) -> None:
    gateway = await serve()
    told = await index(gateway, f"{NEW}/index.json")
    assert told["$schema"] == "https://schemas.agentskills.io/discovery/0.2.0/schema.json"
    assert [(entry["name"], entry["type"]) for entry in told["skills"]] == [("one", "skill-md"), ("pdf", "archive")]
    for entry in told["skills"]:
        assert entry.keys() == {"name", "type", "description", "url", "digest"}
        status, headers, data = await got(gateway, entry["url"])
        assert status == 200
        assert digest(data) == entry["digest"]
        assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"] == "application/gzip"
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        assert archive.getnames() == ["SKILL.md", "logo.png", "scripts/run.py", "templates/a b.md"]
        for entry in archive:
            opened = archive.extractfile(entry)
            assert entry.isreg()
            assert opened is not None
            assert opened.read() == (folder / "pdf" / entry.name).read_bytes()


async def test_every_file_that_the_old_index_names_is_there(serve: Serve, folder: Path) -> None:
    gateway = await serve()
    told = await index(gateway, f"{OLD}/index.json")
    for entry in told["skills"]:
        assert entry["files"][0] == "SKILL.md"
        for path in entry["files"]:
            for base in (OLD, NEW):
                status, _, data = await got(gateway, f"{base}/{entry['name']}/{quote(path)}")
                assert (status, data) == (200, (folder / entry["name"] / path).read_bytes())


async def test_a_client_that_has_it_is_told_so(serve: Serve) -> None:
    gateway = await serve()
    for path in (f"{NEW}/index.json", f"{OLD}/index.json", f"{NEW}/pdf.tar.gz", f"{OLD}/pdf/scripts/run.py"):
        _, headers, data = await got(gateway, path)
        assert "private" in headers["cache-control"]
        for tag in (headers["etag"], f'"x", W/{headers["etag"]}', "*"):
            status, again, nothing = await got(gateway, path, **{"if-none-match": tag})
            assert (status, nothing, again["etag"]) == (304, b"", headers["etag"])
        assert (await got(gateway, path, **{"if-none-match": '"x"'}))[::2] == (200, data)


async def test_it_takes_a_key_unless_the_yaml_says_public(serve: Serve, folder: Path) -> None:
    closed, public = await serve(), await serve(public=True)
    paths = (
        f"{NEW}/index.json",
        f"{NEW}/pdf.tar.gz",
        f"{NEW}/one/SKILL.md",
        f"{OLD}/index.json",
        f"{OLD}/one/SKILL.md",
    )
    async with aiohttp.ClientSession() as nobody:
        for path in paths:
            async with nobody.get(closed.url + path) as response:
                assert response.status == 401
            async with nobody.get(public.url + path) as response:
                assert response.status == 200
                assert response.headers["access-control-allow-origin"] == "*"
                assert "public" in response.headers["cache-control"]


TRAVERSALS = [
    "../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "..%5c..%5cetc%5cpasswd",
    "....//....//etc/passwd",
    "%252e%252e%252fetc%252fpasswd",
    "/etc/passwd",
    "//etc/passwd",
    "SKILL.md%00.png",
    "SKILL.md/",
    "./SKILL.md",
    "skill.md",
    "scripts",
    "scripts/../SKILL.md",
    "%c0%ae%c0%ae/etc/passwd",
    "~root/.bashrc",
    "file:///etc/passwd",
    "l",
]


async def test_no_spelling_of_a_path_leaves_the_skill(serve: Serve, folder: Path) -> None:
    (folder / "secret").write_bytes(b"outside-9f2c41")
    gateway = await serve(public=True)
    host, port = gateway.url.removeprefix("http://").split(":")
    for path in [*TRAVERSALS, "../secret", "..%2fsecret"]:
        for base in (f"{OLD}/pdf/", f"{NEW}/pdf/", f"{NEW}/", f"{OLD}/"):
            reader, writer = await asyncio.open_connection(host, int(port))  # no client tidies the path up
            writer.write(f"GET {base}{path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            status = int(answer.split(b" ", 2)[1])
            assert status in (400, 404), (base, path, answer)
            assert b"root:" not in answer
            assert b"outside-9f2c41" not in answer


async def test_nothing_is_served_that_a_browser_would_run(serve: Serve, folder: Path) -> None:
    page = b"<script>fetch('/key/list')</script>"
    write_skill(folder, "web", dict.fromkeys(("a.html", "b.svg", "c.js", "d.xml", "e.HTML", "f", "g.md"), page))
    gateway = await serve()
    for name in ("a.html", "b.svg", "c.js", "d.xml", "e.HTML", "f", "g.md"):
        status, headers, data = await got(gateway, f"{OLD}/web/{name}")
        assert (status, data) == (200, page)
        assert headers["content-type"].split(";")[0] in ("text/plain", "text/markdown")
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]


async def test_a_change_is_served_and_a_bad_skill_is_left_out_and_told(serve: Serve, folder: Path) -> None:
    gateway = await serve()
    before = await index(gateway, f"{NEW}/index.json")
    (folder / "one" / "SKILL.md").write_bytes(skill_md("one", "Changed."))
    (folder / "pdf" / "l").symlink_to("/etc/passwd")
    async with asyncio.timeout(10):
        while (told := await index(gateway, f"{NEW}/index.json")) == before:
            await asyncio.sleep(0.05)
    assert [(entry["name"], entry["description"]) for entry in told["skills"]] == [("one", "Changed.")]
    assert (await got(gateway, f"{OLD}/pdf/SKILL.md"))[0] == 404
    status, _, data = await got(gateway, "/health/readiness")
    assert status == 200
    assert b"symbolic link" in data


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sources": [{"kind": "web", "path": "x"}]}, "kind"),
        ({"sources": [{"kind": "folder"}]}, "path"),
        ({"sources": [{"kind": "folder", "path": "x", "ref": "y"}]}, "ref"),
        ({"refresh_seconds": 6}, "refresh_seconds"),
        ({"uploads": {}, "passthrough": {"api_key": "k"}}, "two homes"),
        ({"passthrough": {"api_key": "k", "api_base": "http://example.com"}}, "plain http"),
    ],
)
async def test_a_wrong_setting_stops_the_start(serve: Serve, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as stopped:
        await serve(**settings)
    assert said in str(stopped.value)
