"""Which of the interfaces of a card the gateway uses: one of a binding it speaks, at an address it may call.

Calling it is `upstream.calling`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from a2a.types import AgentCard, AgentInterface

from routeiq_a2a.optional import MEND, has_grpc
from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.wire.versions import V0_3, V1_0, major_minor

_NOWHERE = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::", "::1"})  # noqa: S104 - names in cards, no listener
GRPC = "GRPC"
_BINDINGS = ("JSONRPC", "HTTP+JSON", GRPC)
_SCHEMES_OF_GRPC = {"grpc": "http", "grpcs": "https"}


class NoInterface(Exception):
    """None of a card's interfaces can be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Where and how an agent is called."""

    url: str
    binding: str
    version: str
    tenant: str = ""


def chosen(agent: Agent, card: AgentCard) -> Interface:
    """The interface to use: gRPC after the others, of 1.0 before 0.3, then in the card's order. Raises
    `NoInterface`."""
    elsewhere = without_library = False
    usable: list[Interface] = []
    for offered in card.supported_interfaces:
        version = _version(offered)
        if offered.protocol_binding not in _BINDINGS or version is None:
            continue
        if agent.binding not in (None, offered.protocol_binding) or agent.version not in (None, version):
            continue
        by_grpc = offered.protocol_binding == GRPC
        if by_grpc and not has_grpc():
            without_library = True
            continue
        url = _grpc_address(agent, offered.url) if by_grpc else _address(agent, offered.url)
        if url is None:
            elsewhere = True
            continue
        usable.append(Interface(url, offered.protocol_binding, version, offered.tenant))
    if usable:
        # min keeps the order of equals
        return min(usable, key=lambda each: (each.binding == GRPC, each.version != V1_0))
    if elsewhere:
        raise NoInterface(
            "has a card that names another address than its own; whoever runs the gateway can add "
            "that one to its `origins`"
        )
    if without_library:
        raise NoInterface(f"has a card with an interface of gRPC alone; whoever runs the gateway can {MEND}")
    raise NoInterface("has a card without an interface of JSONRPC, HTTP+JSON or GRPC in version 1.0 or 0.3")


def _version(offered: AgentInterface) -> str | None:
    if not offered.protocol_version:
        return V1_0
    version = major_minor(offered.protocol_version)
    return version if version in (V1_0, V0_3) else None


def _grpc_address(agent: Agent, told: str) -> str | None:
    """The http(s) address of what cards name in several ways: a URL, or `HOST:PORT` as gRPC itself has it. The latter
    does not say whether the connection is encrypted: it is, unless the operator wrote that origin with `http`."""
    scheme, found, rest = told.partition("://")
    if found and scheme.lower() not in ("dns", "ipv4", "ipv6"):
        return _address(agent, f"{_SCHEMES_OF_GRPC.get(scheme.lower(), scheme)}://{rest}")
    bare = rest.lstrip("/") if found else told.removeprefix("dns:")
    for candidate in (f"https://{bare}", f"http://{bare}"):
        if agent.may_be_called_at(candidate):
            return candidate
    return _address(agent, f"https://{bare}")


def _address(agent: Agent, url: str) -> str | None:
    if agent.may_be_called_at(url):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    own = urlsplit(agent.address)
    if parts.hostname in _NOWHERE and own.hostname not in _NOWHERE:
        # Many agents are shipped with the address that they had on their author's machine.
        return urlunsplit((own.scheme, own.netloc, parts.path, parts.query, ""))
    return None
