"""Product code has one door to the outside: nothing but `routeiq.egress` makes an HTTP client or opens a connection."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOOR = ROOT / "core/src/routeiq/egress"
TERMINAL = frozenset(
    {
        ROOT / "plugins/governance/src/routeiq_governance/commands/client.py",
        ROOT / "core/src/routeiq/cli/top.py",
    }
)
"""What commands in an operator's terminal call a gateway with; no gateway imports it."""
BY_THEMSELVES = frozenset(
    {
        ROOT / "plugins/a2a/src/routeiq_a2a/upstream/grpc_channels.py",
        ROOT / "plugins/otel/src/routeiq_otel/grpc_transport.py",
    }
)
"""What hands addresses to a library that connects by itself: ones that the egress gave, or the operator's own."""
PRODUCT = [ROOT / "core/src", ROOT / "plugin_sdk/src", *ROOT.glob("plugins/*/src")]

# A module that is a client as a whole: importing it is the offence.
CLIENT_MODULES = frozenset(
    {
        "requests",
        "urllib.request",
        "urllib3",
        "http.client",
        "ftplib",
        "smtplib",
        "telnetlib",
        "pycurl",
        "niquests",
        "httplib2",
    }
)
# Names that make a client or a connection, by the module they come from.
CLIENT_NAMES = {
    "httpx": {"Client", "AsyncClient", "HTTPTransport", "AsyncHTTPTransport", "get", "post", "put", "patch", "delete"}
    | {"head", "options", "request", "stream"},
    "httpx2": {"Client", "AsyncClient", "HTTPTransport", "AsyncHTTPTransport", "get", "post", "request", "stream"},
    "httpcore": {"ConnectionPool", "AsyncConnectionPool", "request", "stream"},
    "aiohttp": {"ClientSession", "TCPConnector", "UnixConnector", "request"},
    "websockets": {"connect"},
    "socket": {"create_connection"},
    "asyncio": {"open_connection"},
}
# Methods of an event loop and of gRPC, whatever the loop or the module is called.
CLIENT_METHODS = frozenset({"create_connection", "sock_connect", "insecure_channel", "secure_channel"})


def offences(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each import, use or call in `source` that could open a connection."""
    tree = ast.parse(source)
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                aliases[name.asname or name.name.partition(".")[0]] = (
                    name.name if name.asname else name.name.partition(".")[0]
                )
                yield from _module_offence(node.lineno, name.name)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from _module_offence(node.lineno, node.module)
            for name in node.names:
                yield from _module_offence(node.lineno, f"{node.module}.{name.name}")
                if name.name in CLIENT_NAMES.get(node.module.partition(".")[0], ()):
                    yield node.lineno, f"{node.module}.{name.name}"
    adopted = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call) and _adopts_socket(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in adopted:
            owner = node.value
            if isinstance(owner, ast.Name) and node.attr in CLIENT_NAMES.get(aliases.get(owner.id, ""), ()):
                yield node.lineno, f"{aliases[owner.id]}.{node.attr}"
            elif node.attr in CLIENT_METHODS:
                yield node.lineno, f".{node.attr}"
        elif isinstance(node, ast.Call) and _imports_by_name(node):
            argument = node.args[0]
            if isinstance(argument, ast.Constant):
                yield from _module_offence(node.lineno, str(argument.value))


def _adopts_socket(call: ast.Call) -> bool:
    """`open_connection(sock=...)` puts streams on a socket that somebody else connected, such as one end of a pair."""
    return not call.args and any(keyword.arg == "sock" for keyword in call.keywords)


def _module_offence(line: int, module: str) -> Iterator[tuple[int, str]]:
    if any(module == client or module.startswith(f"{client}.") for client in CLIENT_MODULES):
        yield line, module


def _imports_by_name(call: ast.Call) -> bool:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__") and bool(call.args)


def test_no_gateway_imports_the_terminals_client() -> None:
    names = {"routeiq_governance.commands": "commands", "routeiq.cli.top": "cli"}
    for folder in PRODUCT:
        for path in folder.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for name, room in names.items():
                assert path.parent.name == room or name not in text, path


def test_only_egress_opens_connections() -> None:
    everything = [path for folder in PRODUCT for path in folder.rglob("*.py")]
    excused = TERMINAL | BY_THEMSELVES
    assert set(everything) >= excused
    files = [path for path in everything if not path.is_relative_to(DOOR) and path not in excused]
    assert len(files) > 10
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted(files)
        for line, name in offences(path.read_text(encoding="utf-8"))
    ]
    assert found == [], "call out through routeiq.egress (plugins: gateway.egress) instead"


@pytest.mark.parametrize(
    "source",
    [
        "import httpx\nhttpx.AsyncClient()",
        "import httpx as h\nh.Client()",
        "from httpx import AsyncClient as Quiet",
        "def f():\n    import httpx\n    return httpx.get('http://x')",
        "import aiohttp\nsession = aiohttp.ClientSession",
        "from aiohttp import ClientSession",
        "from aiohttp.client import ClientSession",
        "import requests",
        "from requests.sessions import Session",
        "import urllib.request",
        "from urllib import request",
        "from urllib.request import urlopen",
        "import http.client",
        "from http import client",
        "import socket\nsocket.create_connection(('x', 1))",
        "from asyncio import open_connection",
        "import asyncio\nasyncio.open_connection('x', 1)",
        "async def f(loop):\n    await loop.create_connection(None, 'x', 1)",
        "import importlib\nimportlib.import_module('requests')",
        "import grpc.aio\ngrpc.aio.insecure_channel('x:1')",
        "import grpc\ngrpc.secure_channel('x:1', None)",
    ],
)
def test_each_way_around_is_noticed(source: str) -> None:
    assert list(offences(source))


@pytest.mark.parametrize(
    "source",
    [
        "import aiohttp\ndef f(r: aiohttp.ClientResponse): ...",
        "import urllib.parse\nfrom urllib.parse import urlsplit",
        "from http import HTTPStatus",
        "import socket\nsocket.socket()",
        "import asyncio\nasync def f(s):\n    await asyncio.open_connection(sock=s)",
        "from . import request\nrequest.get('x')",
        "settings = {}\nsettings.get('x')",
    ],
)
def test_honest_code_is_left_alone(source: str) -> None:
    assert list(offences(source)) == []
