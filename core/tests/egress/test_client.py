"""The client: the operator's origins work as written, credentials stay home, bodies stream, caps hold."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from routeiq.egress import (
    Credentials,
    Egress,
    EgressPolicy,
    EgressRefused,
    Origin,
    PoolLimits,
    Timeouts,
    parse_operator_url,
)


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    seen = {name.lower(): value for name, value in request.headers.items()}
    return web.json_response(
        {"method": request.method, "target": request.raw_path, "headers": seen, "body": body.decode()}
    )


async def test_an_operators_local_origin_works_as_written(serve: Any, open_egress: Any) -> None:
    port = await serve(echo)
    for host in ("127.0.0.1", "localhost"):
        egress = await open_egress(EgressPolicy.compile([f"http://{host}:{port}/v1"], []))
        url = parse_operator_url(f"http://{host}:{port}/v1/a%2Fb/../c?x=%20|&y")
        async with egress.request("POST", url, headers={"X-A": "b"}, data=b"{}") as response:
            seen = await response.json()
        assert response.status == 200
        assert seen["target"] == "/v1/a%2Fb/../c?x=%20|&y"
        assert seen["headers"]["host"] == f"{host}:{port}"
        assert seen["headers"]["user-agent"].startswith("routeiq/")
        assert (seen["method"], seen["body"], seen["headers"]["x-a"]) == ("POST", "{}", "b")


async def test_a_strangers_url_to_the_operators_local_origin_is_refused(canary: Any, open_egress: Any) -> None:
    egress = await open_egress(EgressPolicy.compile([f"http://localhost:{canary.port}"], []))
    text = f"http://localhost:{canary.port}/"
    with pytest.raises(EgressRefused, match="loopback"):
        await egress.fetch(text, max_bytes=10, timeout=5)
    with pytest.raises(EgressRefused, match="loopback"):
        await egress.request("GET", egress.policy.parse(text), untrusted=True)
    assert canary.hits == 0


async def test_a_strangers_url_does_not_borrow_the_operators_open_connection(serve: Any, open_egress: Any) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    port = await serve(answer)
    egress = await open_egress(EgressPolicy.compile([f"http://localhost:{port}"], []))
    url = egress.policy.parse(f"http://localhost:{port}/mine")
    async with egress.request("GET", url) as response:
        await response.read()
    with pytest.raises(EgressRefused):
        await egress.request("GET", url.with_target("/theirs"), untrusted=True)
    assert asked == ["/mine"]


@pytest.mark.parametrize("answer", ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200"])
async def test_an_operators_name_never_leads_to_metadata(answer: str, open_egress: Any, answers: Any) -> None:
    policy = EgressPolicy.compile(["http://model.example.com"], ["model.example.com", "0.0.0.0/0", "::/0"])
    egress = await open_egress(policy, lookup=answers(otherwise=["93.184.216.34", answer]))
    url = parse_operator_url("http://model.example.com/")
    for untrusted in (False, True):
        with pytest.raises(EgressRefused, match="metadata"):
            await egress.request("GET", url, untrusted=untrusted)


@pytest.mark.parametrize("other", [{"scheme": "https"}, {"port": 1}, {"host": "api.example.com"}], ids=str)
async def test_credentials_never_leave_for_another_origin(other: Any, canary: Any, open_egress: Any) -> None:
    written = Origin("http", "127.0.0.1", canary.port)
    egress = await open_egress(EgressPolicy.compile([str(written)], []))
    credentials = Credentials(written._replace(**other), {"Authorization": "Bearer hush"})
    with pytest.raises(EgressRefused, match="credentials belong to") as caught:
        egress.request("GET", parse_operator_url(f"{written}/"), credentials=credentials)
    assert "hush" not in f"{caught.value} {credentials!r}"
    assert canary.hits == 0


async def test_credentials_replace_the_same_headers_of_the_caller(serve: Any, open_egress: Any) -> None:
    port = await serve(echo)
    egress = await open_egress(EgressPolicy.compile([f"http://127.0.0.1:{port}"], []))
    url = parse_operator_url(f"http://127.0.0.1:{port}/")
    credentials = Credentials(url.origin, {"Authorization": "Bearer ours"})
    async with egress.request("GET", url, headers={"authorization": "theirs"}, credentials=credentials) as response:
        assert (await response.json())["headers"]["authorization"] == "Bearer ours"
    with pytest.raises(ValueError, match="Host"):
        egress.request("GET", url, headers={"hOst": "other.example"})


async def test_a_stream_arrives_chunk_by_chunk(serve: Any, open_egress: Any) -> None:
    more = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await more.wait()
        await response.write(b"second")
        return response

    port = await serve(stream)
    egress = await open_egress(EgressPolicy.compile([f"http://127.0.0.1:{port}"], []))
    async with egress.request("GET", parse_operator_url(f"http://127.0.0.1:{port}/")) as response:
        chunks = response.content.iter_any()
        assert await anext(chunks) == b"first"
        more.set()
        assert b"".join([chunk async for chunk in chunks]) == b"second"


async def test_a_body_can_be_passed_on_as_it_was_sent(serve: Any, open_egress: Any) -> None:
    async def packed(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"plain"), headers={"Content-Encoding": "gzip"})

    port = await serve(packed)
    egress = await open_egress(EgressPolicy.compile([f"http://127.0.0.1:{port}"], []))
    url = parse_operator_url(f"http://127.0.0.1:{port}/")
    async with egress.request("GET", url) as response:
        assert await response.read() == b"plain"
    async with egress.request("GET", url, decompress=False) as response:
        assert gzip.decompress(await response.read()) == b"plain"


async def test_redirects_and_cookies_are_left_alone(serve: Any, open_egress: Any) -> None:
    cookies: list[str | None] = []

    async def redirect(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(status=302, headers={"Location": "/other", "Set-Cookie": "a=b; Path=/"})

    port = await serve(redirect)
    egress = await open_egress(EgressPolicy.compile([f"http://localhost:{port}"], []))
    for _ in range(2):
        async with egress.request("GET", parse_operator_url(f"http://localhost:{port}/")) as response:
            assert response.status == 302
            assert response.headers["Location"] == "/other"
    assert cookies == [None, None]


async def test_each_wait_has_its_deadline(serve: Any, open_egress: Any) -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    port = await serve(hang)
    egress = await open_egress(EgressPolicy.compile([f"http://127.0.0.1:{port}"], ["127.0.0.1"]))
    url = parse_operator_url(f"http://127.0.0.1:{port}/")
    for timeout in (Timeouts(read=0.1), Timeouts(total=0.1)):
        with pytest.raises(TimeoutError):
            await egress.request("GET", url, timeout=timeout)
    with pytest.raises(TimeoutError):
        await egress.fetch(url.text, max_bytes=10, timeout=0.1)


async def test_a_pool_bound_makes_callers_wait_no_longer_than_their_deadline(serve: Any, open_egress: Any) -> None:
    async def held(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    urls = [f"http://127.0.0.1:{await serve(handler)}/" for handler in (held, echo)]
    egress = await open_egress(EgressPolicy.compile(urls, []), limits=PoolLimits(connections=1))
    url = parse_operator_url(urls[1])
    async with egress.request("GET", parse_operator_url(urls[0])):
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await egress.request("GET", url, timeout=Timeouts(connect=0.1))
    async with egress.request("GET", url) as response:
        assert response.status == 200


async def test_a_slow_name_server_is_given_up_on(open_egress: Any) -> None:
    async def silent(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    egress = await open_egress(EgressPolicy(), lookup=silent)
    with pytest.raises(TimeoutError):
        await egress.request("GET", egress.policy.parse("http://example.com/"), timeout=Timeouts(connect=0.1))


@pytest.mark.parametrize("chunked", [True, False])
async def test_fetch_stops_at_its_size(chunked: bool, serve: Any, open_egress: Any) -> None:
    async def large(request: web.Request) -> web.StreamResponse:
        if not chunked:
            return web.Response(body=b"x" * 1001)
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(11):
            await response.write(b"x" * 91)
        return response

    port = await serve(large)
    egress = await open_egress(EgressPolicy.compile([], [f"127.0.0.1:{port}"]))
    text = f"http://127.0.0.1:{port}/"
    with pytest.raises(EgressRefused, match="longer than 1000 bytes"):
        await egress.fetch(text, max_bytes=1000, timeout=5)
    assert len((await egress.fetch(text, max_bytes=1001, timeout=5)).body) == 1001


async def test_fetch_takes_no_compressed_body(serve: Any, open_egress: Any) -> None:
    async def bomb(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=gzip.compress(bytes(1 << 20)), headers={"Content-Encoding": "gzip"})

    port = await serve(bomb)
    egress = await open_egress(EgressPolicy.compile([], [f"127.0.0.1:{port}"]))
    with pytest.raises(EgressRefused, match="compressed"):
        await egress.fetch(f"http://127.0.0.1:{port}/", max_bytes=1 << 21, timeout=5)


@pytest.fixture
def hops(serve: Any, open_egress: Any, answers: Any) -> Any:
    """`egress, port, seen = await hops(location)`: /start answers with that redirect, everything else with its path."""

    async def start(location: str) -> tuple[Egress, int, dict[str, dict[str, str]]]:
        seen: dict[str, dict[str, str]] = {}

        async def answer(request: web.Request) -> web.Response:
            seen[f"{request.host.split(':')[0]}{request.raw_path}"] = dict(request.headers)
            if request.raw_path.endswith("/start"):
                return web.Response(status=307, headers={"Location": location.replace("{port}", str(port))})
            return web.Response(text=request.raw_path)

        port = await serve(answer)
        policy = EgressPolicy.compile([], [f"one.example:{port}", f"two.example:{port}"])
        return await open_egress(policy, lookup=answers(otherwise=["127.0.0.1"])), port, seen

    return start


@pytest.mark.parametrize(
    ("location", "arrived"),
    [
        ("/b?c=d", "one.example/b?c=d"),
        ("b", "one.example/a/b"),
        ("?c=d", "one.example/a/start?c=d"),
        ("http://one.example:{port}/b", "one.example/b"),
        ("//two.example:{port}/b", "two.example/b"),
        ("HTTP://TWO.example:{port}/b", "two.example/b"),
    ],
)
async def test_fetch_follows_a_redirect_and_credentials_stay_with_their_origin(
    location: str, arrived: str, hops: Any
) -> None:
    egress, port, seen = await hops(location)
    origin = Origin("http", "one.example", port)
    fetched = await egress.fetch(
        f"{origin}/a/start",
        max_bytes=100,
        timeout=5,
        redirects=1,
        headers={"Accept": "image/png", "X-Api-Key": "hush"},
        credentials=Credentials(origin, {"Authorization": "hush"}),
    )
    assert fetched.url.host + fetched.url.target == arrived
    assert seen["one.example/a/start"]["Authorization"] == "hush"
    second = seen[arrived]
    assert second["Accept"] == "image/png"
    home = arrived.startswith("one.")
    assert [name in second for name in ("Authorization", "X-Api-Key")] == [home, home]


async def test_fetch_follows_no_more_redirects_than_asked(hops: Any) -> None:
    egress, port, seen = await hops("/start")
    for redirects in (0, 3):
        seen.clear()
        with pytest.raises(EgressRefused, match="redirect"):
            await egress.fetch(f"http://one.example:{port}/start", max_bytes=9, timeout=5, redirects=redirects)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a self-signed certificate for secure.example alone."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "secure.example")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("secure.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "secure.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


async def test_tls_is_with_the_name_while_the_connection_is_to_the_checked_address(
    certificate: Path, answers: Any
) -> None:
    asked: list[str | None] = []
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    server_side.sni_callback = lambda _socket, name, _context: asked.append(name)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_side)
    port = server.sockets[0].getsockname()[1]
    urls = [f"https://secure.example:{port}/", f"https://other.example:{port}/"]
    ours = Egress(
        EgressPolicy.compile(urls, []),
        lookup=answers(otherwise=["127.0.0.1"]),
        ssl_context=ssl.create_default_context(cafile=str(certificate)),
    )
    async with server, ours as egress:
        async with egress.request("GET", parse_operator_url(urls[0])) as response:
            assert await response.text() == "ok"
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await egress.request("GET", parse_operator_url(urls[1]))
    assert asked == ["secure.example", "other.example"]


async def test_a_closed_client_makes_no_call(open_egress: Any) -> None:
    egress = await open_egress(EgressPolicy())
    await egress.close()
    await egress.close()
    with pytest.raises(RuntimeError, match="not open"):
        egress.request("GET", egress.policy.parse("http://example.com/"))
