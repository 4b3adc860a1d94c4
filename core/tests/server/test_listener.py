"""Where a server may listen, and what is left behind on the file system."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from processes import get, server

from routeiq.server.listener import address_of, bind, is_local
from routeiq.server.probes import ENGINES
from routeiq.server.settings import ServerSettings, WorkerSpec
from routeiq_sdk.errors import ConfigError


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_unix_socket_is_served_by_every_worker_and_removed_at_the_end(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    async with server(engine=engine, host=f"unix:{path}", workers=2) as running:
        await running.line(f"listening on unix:{path}, 2 workers")
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(get("/plain").encode())
        async with asyncio.timeout(5):
            assert (await reader.read(-1)).startswith(b"HTTP/1.1 200")
        writer.close()
        running.terminate()
        assert await running.exit_code() == 0
    assert not path.exists()


def test_a_socket_file_without_a_listener_is_replaced_but_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    settings = ServerSettings(host=f"unix:{path}")
    bind(settings).close()
    assert path.exists()
    with bind(settings) as sock:
        sock.listen()
        with pytest.raises(ConfigError, match="cannot listen on"):
            bind(settings)


def test_a_file_that_is_not_a_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ConfigError):
        bind(ServerSettings(host=f"unix:{path}"))
    assert path.read_text() == "data"


def test_a_bound_socket_refuses_until_a_worker_listens() -> None:
    with bind(ServerSettings(port=0)) as sock:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(sock.getsockname(), timeout=2)
        sock.listen()
        socket.create_connection(sock.getsockname(), timeout=2).close()


def test_ipv6_is_bound_and_written_in_brackets() -> None:
    with bind(ServerSettings(host="::1", port=0)) as sock:
        assert address_of(sock, tls=True) == f"https://[::1]:{sock.getsockname()[1]}"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("unix:/run/x", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("no such name", False),
    ],
)
def test_only_addresses_that_nobody_else_can_reach_are_local(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_a_spec_survives_the_trip_to_a_child() -> None:
    spec = WorkerSpec(factory="a:b", config_path=None, settings=ServerSettings(workers=3), index=2)
    assert WorkerSpec.from_json(spec.to_json()) == spec


def test_a_factory_that_does_not_exist_is_named() -> None:
    for factory in ("no_such_module:build", "json:no_such_function"):
        with pytest.raises(ConfigError, match=factory):
            WorkerSpec(factory=factory, config_path=None, settings=ServerSettings()).build()
