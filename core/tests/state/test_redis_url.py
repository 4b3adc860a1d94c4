"""URLs of the Redis store: what is read from them, and what is refused without being repeated."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from routeiq.state.redis_url import read_redis_url
from routeiq_sdk import ConfigError
from routeiq_testkit.servers import ValkeyServer

from .redis_places import stores
from .self_signed import self_signed


@pytest.mark.parametrize("scheme", ["redis", "valkey", "rediss", "valkeys"])
def test_a_single_server(scheme: str) -> None:
    place = read_redis_url(f"{scheme}://ann:p%40ss@db.example:7000/3")
    assert (place.mode, place.hosts, place.db) == ("single", (("db.example", 7000),), 3)
    assert place.tls is (scheme in ("rediss", "valkeys"))
    assert place.login == {"username": "ann", "password": "p@ss"}
    assert read_redis_url(f"{scheme}://[::1]").hosts == (("::1", 6379),)
    assert read_redis_url(f"{scheme}://:only@h").login == {"password": "only"}


def test_sentinels() -> None:
    place = read_redis_url("redis+sentinel://:p@one:1,two/main/2?sentinel_password=q&prefix=blue")
    assert (place.mode, place.hosts, place.service, place.db) == ("sentinel", (("one", 1), ("two", 26379)), "main", 2)
    assert (place.login, place.sentinel_login, place.prefix) == ({"password": "p"}, {"password": "q"}, "blue")


def test_a_cluster() -> None:
    place = read_redis_url("rediss+cluster://u:p@one,two:7001?ssl_ca_certs=/ca.pem&ssl_check_hostname=false")
    assert (place.mode, place.hosts, place.tls) == ("cluster", (("one", 6379), ("two", 7001)), True)
    assert place.login["ssl_ca_certs"] == "/ca.pem"
    assert place.login["ssl_check_hostname"] is False


def test_a_unix_socket() -> None:
    place = read_redis_url("unix://u:p@/run/valkey.sock?db=4")
    assert (place.mode, place.path, place.db, str(place)) == ("single", "/run/valkey.sock", 4, "/run/valkey.sock")


@pytest.mark.parametrize(
    "url",
    [
        "http://:secret@h",
        "redis://:secret@h/zero",
        "redis://:secret@h/-1",
        "redis://:secret@h/0/1",
        "redis://:secret@h:port",
        "redis://:secret@h:99999999",
        "redis://:secret@one,two",
        "redis://:secret@",
        "redis://:secret@one?db=x",
        "redis://:secret@one?unknown=1",
        "redis://:secret@one?prefix=",
        "redis://:secret@one?prefix=%7Ba",
        "redis+sentinel://:secret@one",
        "redis+cluster://:secret@one/1",
        "unix://:secret@",
        "unix+cluster://:secret@/s",
        "redis+other://:secret@one",
    ],
)
def test_what_cannot_be_used_is_said_without_the_secret(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_redis_url(url)
    assert "secret" not in str(caught.value)


def test_a_place_prints_without_its_secrets() -> None:
    place = read_redis_url("redis+sentinel://:one-secret@h/main?sentinel_password=two-secret")
    assert "secret" not in repr(place)
    assert "secret" not in str(place)


async def test_a_server_behind_a_unix_socket_serves(tmp_path: Path) -> None:
    server = ValkeyServer()
    path = server.folder / "socket"
    server.options = {"unixsocket": str(path)}
    server.start()
    try:
        async with stores(f"unix://{path}?db=3&prefix=mine") as opened:
            assert await opened.state.increment("a", 4) == 4
        assert server.ask("EVAL", "redis.call('SELECT', 3) return redis.call('GET', '{mine}c:a')", 0) == "4"
    finally:
        server.kill()


async def test_a_server_behind_tls_serves_and_is_verified(valkey: ValkeyServer, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with tls_before(valkey, context) as port:
        async with stores(f"rediss://localhost:{port}/0?ssl_ca_certs={certificate}") as opened:
            assert await opened.state.increment("a", 4) == 4
        with pytest.raises(Exception, match="certificate"):
            async with stores(f"rediss://localhost:{port}/0"):
                pass


@asynccontextmanager
async def tls_before(server: ValkeyServer, context: ssl.SSLContext) -> AsyncIterator[int]:
    """A port that takes TLS for a server that has none."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside_reader, inside_writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pump(reader, inside_writer), pump(inside_reader, writer), return_exceptions=True)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


def test_nobody_who_has_another_store_imports_redis() -> None:
    code = "import sys, routeiq.app, routeiq.state.open; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
