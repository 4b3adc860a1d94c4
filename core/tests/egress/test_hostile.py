"""No hostile URL, name server or redirect makes the gateway connect to loopback. The canary counts, not the client."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web

from routeiq.egress import Credentials, Egress, EgressPolicy, EgressRefused, Origin, PoolLimits, httpx_client

CORPUS: dict[str, list[str]] = json.loads(Path(__file__).with_name("hostile_urls.json").read_text())
REDIRECTS = (301, 302, 303, 307, 308)
# httpx refuses some of them before its transport is asked.
REFUSALS = (EgressRefused, httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError)

EntryPoint = Callable[[Egress, str], Awaitable[Any]]


async def worst_name_server(host: str, port: int) -> Sequence[str]:
    """Reads numbers as generously as the system's resolver does, and says 127.0.0.1 to every name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return ["127.0.0.1"]
    return [str(answer[4][0]) for answer in found]


async def by_fetch(egress: Egress, url: str) -> None:
    await egress.fetch(url, max_bytes=1000, timeout=5, redirects=5)


async def by_httpx(egress: Egress, url: str) -> None:
    async with httpx_client(egress) as client:
        await client.get(url, follow_redirects=True)


async def by_untrusted_httpx(egress: Egress, url: str) -> None:
    async with httpx_client(egress, untrusted=True) as client:
        await client.post(url, content=b"{}", follow_redirects=True)


ENTRY_POINTS = pytest.mark.parametrize("enter", [by_fetch, by_httpx, by_untrusted_httpx])


def test_the_corpus_is_large() -> None:
    urls = [url for urls in CORPUS.values() for url in urls]
    assert len(urls) == len(set(urls)) >= 400


@ENTRY_POINTS
@pytest.mark.parametrize("chapter", CORPUS)
async def test_no_hostile_url_reaches_the_canary(
    enter: EntryPoint, chapter: str, canary: Any, open_egress: Any
) -> None:
    egress = await open_egress(EgressPolicy(), lookup=worst_name_server)
    passed = []
    for template in CORPUS[chapter]:
        url = template.replace("{port}", str(canary.port))
        try:
            await enter(egress, url)
        except REFUSALS:
            continue
        except Exception as error:
            passed.append((url, repr(error)))
        else:
            passed.append((url, "answered"))
    assert passed == []
    assert canary.hits == 0


@ENTRY_POINTS
async def test_the_canary_would_notice(enter: EntryPoint, canary: Any, open_egress: Any) -> None:
    egress = await open_egress(EgressPolicy.compile([], ["127.0.0.0/8"]), lookup=worst_name_server)
    await enter(egress, f"http://www.example.com:{canary.port}/")
    assert canary.hits == 1


@ENTRY_POINTS
@pytest.mark.parametrize(
    "told",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["127.0.0.1", "93.184.216.34"],
        ["2606:2800:220:1::1", "127.0.0.1"],
        ["2606:2800:220:1::1", "93.184.216.34", "::1"],
        ["93.184.216.34", "::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["93.184.216.34", "169.254.169.254"],
        ["0.0.0.0"],
        ["::"],
        ["fe80::1%lo"],
        ["93.184.216.34", "not an address"],
    ],
    ids=" ".join,
)
async def test_one_bad_answer_spoils_a_name(
    enter: EntryPoint, told: list[str], canary: Any, open_egress: Any, answers: Any
) -> None:
    egress = await open_egress(EgressPolicy(), lookup=answers(otherwise=told))
    with pytest.raises(EgressRefused):
        await enter(egress, f"http://www.example.com:{canary.port}/")
    assert canary.hits == 0


@pytest.fixture
async def front(canary: Any, serve: Any) -> list[str]:
    """A permitted server on the canary's port, at 127.0.0.2: it stands for the public answer of a name that flips."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        response = web.Response(text="front")
        if request.path != "/keep":
            response.force_close()
        return response

    await serve(answer, host="127.0.0.2", port=canary.port)
    return seen


@ENTRY_POINTS
async def test_a_name_that_flips_is_followed_to_its_permitted_answer_only(
    enter: EntryPoint, canary: Any, front: list[str], open_egress: Any
) -> None:
    flips = random.Random(7)
    told: list[str] = []

    async def flipping(host: str, port: int) -> Sequence[str]:
        told.append(flips.choice(["127.0.0.2", "127.0.0.1"]))
        return [told[-1]]

    policy = EgressPolicy.compile([], ["127.0.0.2/32"])
    egress = await open_egress(policy, lookup=flipping, limits=PoolLimits(dns_seconds=0))
    refused = 0
    for _ in range(100):
        try:
            await enter(egress, f"http://rebind.example:{canary.port}/")
        except EgressRefused:
            refused += 1
    assert canary.hits == 0
    assert len(told) == 100
    assert refused == told.count("127.0.0.1")
    assert len(front) == told.count("127.0.0.2")


async def test_a_kept_connection_is_checked_again_after_the_rules_change(
    canary: Any, front: list[str], open_egress: Any, answers: Any
) -> None:
    egress = await open_egress(EgressPolicy.compile([], ["127.0.0.2/32"]), lookup=answers(otherwise=["127.0.0.2"]))
    url = egress.policy.parse(f"http://www.example.com:{canary.port}/keep")
    for _ in range(2):
        async with egress.request("GET", url) as response:
            assert await response.text() == "front"
    egress.use_policy(EgressPolicy())
    with pytest.raises(EgressRefused):
        await egress.request("GET", url)
    assert front == ["/keep", "/keep"]


@ENTRY_POINTS
@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://inside.example:{port}/",
        "//127.0.0.1:{port}/",
        "http://front.example\\@127.0.0.1:{port}/",
        "http://front.example:{front}@127.0.0.1:{port}/",
        "http://2130706433:{port}/",
        "http://169.254.169.254/latest/",
        "hTTp:127.0.0.1:{port}",
        "http://user:secret@inside.example:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://127.1:{port}/",
        " http://127.0.0.1:{port}/",
        "http://inside.example:{port}/#http://front.example:{front}/",
        "file:///etc/passwd",
    ],
)
async def test_a_redirect_does_not_reach_the_canary(
    enter: EntryPoint, status: int, location: str, canary: Any, serve: Any, open_egress: Any, answers: Any
) -> None:
    asked: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        asked.append(request.path)
        target = location.replace("{port}", str(canary.port)).replace("{front}", str(port))
        return web.Response(status=status, headers={"Location": target})

    port = await serve(redirect)
    policy = EgressPolicy.compile([], [f"front.example:{port}"])
    egress = await open_egress(policy, lookup=answers(otherwise=["127.0.0.1"]))
    if enter is by_fetch:
        with pytest.raises(EgressRefused):
            await enter(egress, f"http://front.example:{port}/start")
    else:
        await enter(egress, f"http://front.example:{port}/start")
    assert asked == ["/start"]
    assert canary.hits == 0


@ENTRY_POINTS
@pytest.mark.parametrize(
    ("headers", "page"),
    [
        ({}, '<meta http-equiv="refresh" content="0; url={there}">'),
        ({}, "<script>location = '{there}'</script>"),
        ({"Refresh": "0; url={there}"}, ""),
        ({"Location": "{there}", "Content-Location": "{there}"}, ""),
    ],
)
async def test_a_page_does_not_lead_to_the_canary(
    enter: EntryPoint, headers: dict[str, str], page: str, canary: Any, serve: Any, open_egress: Any, answers: Any
) -> None:
    there = f"http://inside.example:{canary.port}/"

    async def answer(request: web.Request) -> web.Response:
        told = {name: value.replace("{there}", there) for name, value in headers.items()}
        return web.Response(text=page.replace("{there}", there), content_type="text/html", headers=told)

    port = await serve(answer)
    policy = EgressPolicy.compile([], [f"front.example:{port}", f"inside.example:{canary.port}"])
    egress = await open_egress(policy, lookup=answers(otherwise=["127.0.0.1"]))
    await enter(egress, f"http://front.example:{port}/")
    assert canary.hits == 0


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("location", ["http://two.example:{port}/b", "//two.example:{port}/b", "https://one.example/b"])
async def test_credentials_stay_behind_whatever_the_redirect_is(
    status: int, location: str, serve: Any, open_egress: Any, answers: Any
) -> None:
    heard: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/a":
            return web.Response(status=status, headers={"Location": location.replace("{port}", str(port))})
        heard.append(str(dict(request.headers)))
        return web.Response()

    port = await serve(answer)
    policy = EgressPolicy.compile([], ["one.example", "two.example"])
    egress = await open_egress(policy, lookup=answers(otherwise=["127.0.0.1"]))
    origin = Origin("http", "one.example", port)
    try:
        await egress.fetch(
            f"{origin}/a",
            max_bytes=100,
            timeout=5,
            redirects=1,
            headers={"Cookie": "hush", "X-Api-Key": "hush", "Proxy-Authorization": "hush"},
            credentials=Credentials(origin, {"Authorization": "hush"}),
        )
    except aiohttp.ClientConnectorError:
        assert location.startswith("https")  # another scheme and port: nobody is there
    assert len(heard) == (0 if location.startswith("https") else 1)
    assert "hush" not in str(heard)


async def test_the_environments_proxy_is_ignored(
    canary: Any, serve: Any, open_egress: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="direct")

    port = await serve(answer)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    egress = await open_egress(EgressPolicy.compile([f"http://127.0.0.1:{port}"], []))
    async with httpx_client(egress) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).text == "direct"
    async with egress.request("GET", egress.policy.parse(f"http://127.0.0.1:{port}/")) as response:
        assert await response.text() == "direct"
    assert canary.hits == 0


async def test_a_name_without_an_answer_is_a_network_error_not_a_refusal(open_egress: Any, answers: Any) -> None:
    egress = await open_egress(EgressPolicy(), lookup=answers())
    with pytest.raises(aiohttp.ClientConnectorDNSError):
        await by_fetch(egress, "http://gone.example/")
