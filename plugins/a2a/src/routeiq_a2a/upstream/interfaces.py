"""Which of the interfaces of a card the gateway uses: one of a binding it speaks, at an address it may call.

Calling it is `upstream.calling`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from a2a.types import AgentCard, AgentInterface

from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.wire.versions import V0_3, V1_0, major_minor

_NOWHERE = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::", "::1"})  # noqa: S104 - names in cards, no listener
_BINDINGS = ("JSONRPC", "HTTP+JSON")


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
    """The interface to use: of 1.0 before 0.3, then in the card's order. Raises `NoInterface`."""
    elsewhere = False
    usable: list[Interface] = []
    for offered in card.supported_interfaces:
        version = _version(offered)
        if offered.protocol_binding not in _BINDINGS or version is None:
            continue
        if agent.binding not in (None, offered.protocol_binding) or agent.version not in (None, version):
            continue
        url = _address(agent, offered.url)
        if url is None:
            elsewhere = True
            continue
        usable.append(Interface(url, offered.protocol_binding, version, offered.tenant))
    if usable:
        return min(usable, key=lambda each: each.version != V1_0)  # min keeps the order of equals
    if elsewhere:
        raise NoInterface(
            "has a card that names another address than its own; whoever runs the gateway can add "
            "that one to its `origins`"
        )
    raise NoInterface("has a card without an interface of JSONRPC or HTTP+JSON in version 1.0 or 0.3")


def _version(offered: AgentInterface) -> str | None:
    if not offered.protocol_version:
        return V1_0
    version = major_minor(offered.protocol_version)
    return version if version in (V1_0, V0_3) else None


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
