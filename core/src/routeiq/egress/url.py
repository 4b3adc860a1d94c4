"""The one URL grammar of outbound calls: text in, a frozen `Url` out, or `EgressRefused`.

Nothing is resolved or connected here, and no address is judged; a `Url` is never parsed a second time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

import idna
from yarl import URL

from routeiq_sdk.errors import RouteIQError

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_LENGTH = 16 * 1024

_SPLIT = re.compile(r"(https?)://([^/?]*)(.*)", re.IGNORECASE | re.ASCII)
_BRACKETED = re.compile(r"\[([0-9a-f:.]+)\](?::([0-9]+))?", re.IGNORECASE | re.ASCII)
_PLAIN = re.compile(r"([a-z0-9._-]*)(?::([0-9]+))?", re.IGNORECASE | re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}", re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_VISIBLE_ASCII = re.compile(r"[!-~]+", re.ASCII)


class EgressRefused(RouteIQError):
    """An outbound call that was not made. `url` holds neither query nor credentials, so it may be logged."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"outbound call to {url} refused: {reason}")


class Origin(NamedTuple):
    """Scheme, host and port: what a credential is bound to and what an operator allows."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


@dataclass(frozen=True, slots=True, repr=False)
class Url:
    """A URL that passed the grammar. `target` is path and query, raw, as they go on the wire."""

    origin: Origin
    target: str
    is_literal: bool
    yarl: URL = field(init=False, compare=False)

    def __post_init__(self) -> None:
        # `encoded=True`: the client must send the bytes that were checked, not its own idea of them.
        object.__setattr__(self, "yarl", URL(self.text, encoded=True))

    @property
    def scheme(self) -> str:
        return self.origin.scheme

    @property
    def host(self) -> str:
        """Lower-case name, or canonical address without brackets."""
        return self.origin.host

    @property
    def port(self) -> int:
        return self.origin.port

    @property
    def text(self) -> str:
        """The canonical URL. Its query may hold a secret: log `str(url)` instead."""
        return f"{self.origin}{self.target}"

    def __str__(self) -> str:
        return f"{self.origin}{self.target.partition('?')[0]}"

    def __repr__(self) -> str:
        return f"Url({str(self)!r})"

    def with_target(self, target: str) -> Url:
        """The same origin, another path and query; nothing in `target` can change where the call goes."""
        _check_characters(target, str(self.origin))
        if not target.startswith("/"):
            raise EgressRefused(str(self.origin), "a path starts with a slash")
        return Url(self.origin, target, self.is_literal)


def parse_url(text: str, *, dotless: Container[str] = frozenset()) -> Url:
    """Parse a URL from a client, a prompt, a database or an upstream. `dotless` are the single-label names to accept.

    Raises `EgressRefused` whenever two parsers could read the text differently.
    """
    return _parse(text, lambda host: host == "localhost" or host in dotless)


def parse_operator_url(text: str) -> Url:
    """Parse a URL that the operator wrote in the YAML: the same grammar, and any single-label host (`http://vllm:8000`)."""
    return _parse(text, lambda host: True)


def redact(text: str) -> str:
    """`text` fit for a log line: no query, no fragment, no userinfo, no control characters, of bounded length."""
    head = re.split(r"[?#]", text, maxsplit=1)[0]
    head = re.sub(
        r"[^!-~]", "\N{REPLACEMENT CHARACTER}", re.sub(r"^((?:[A-Za-z][\w+.-]*:)?[/\\]+)?.*@", r"\1***@", head)
    )
    return head if len(head) <= 200 else f"{head[:200]}..."


def _check_characters(text: str, shown: str) -> None:
    if len(text) > MAX_LENGTH:
        raise EgressRefused(shown, f"longer than {MAX_LENGTH} characters")
    if not text.isascii():
        raise EgressRefused(shown, "non-ASCII characters; write the host as xn-- and percent-encode the path")
    if not _VISIBLE_ASCII.fullmatch(text):
        raise EgressRefused(shown, "empty, or holds white space or control characters")
    if "\\" in text:
        raise EgressRefused(shown, "holds a backslash")
    if "#" in text:
        raise EgressRefused(shown, "holds a fragment")


def _parse(text: str, accept_dotless: Callable[[str], bool]) -> Url:
    shown = redact(text)
    _check_characters(text, shown)
    split = _SPLIT.fullmatch(text)
    if split is None:
        raise EgressRefused(shown, "not an absolute http:// or https:// URL")
    scheme, authority, target = split[1].lower(), split[2], split[3]
    if "@" in authority:
        raise EgressRefused(shown, "holds credentials before the host")
    if "%" in authority:
        raise EgressRefused(shown, "holds a percent escape or a zone id in the host")
    match = _BRACKETED.fullmatch(authority) or _PLAIN.fullmatch(authority)
    if match is None:
        raise EgressRefused(shown, "the host or port is malformed")
    port = DEFAULT_PORTS[scheme] if match[2] is None else _port(match[2], shown)
    if authority.startswith("["):
        host, is_literal = _ipv6(match[1], shown), True
    else:
        host = match[1].lower()
        is_literal = _check_name(host, shown, accept_dotless)
    if not target.startswith("/"):
        target = f"/{target}"
    return Url(Origin(scheme, host, port), target, is_literal)


def _port(text: str, shown: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise EgressRefused(shown, "the port is not a number from 1 to 65535 without leading zeros")
    return int(text)


def _ipv6(text: str, shown: str) -> str:
    try:
        return IPv6Address(text).compressed
    except AddressValueError:
        raise EgressRefused(shown, "malformed IPv6 address") from None


def _check_name(host: str, shown: str, accept_dotless: Callable[[str], bool]) -> bool:
    """Whether `host` is a canonical IPv4 address; refuses what is neither that nor a plain DNS name."""
    if not host:
        raise EgressRefused(shown, "the host is empty")
    labels = host.split(".")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        # Resolvers read 0x7f.1, 0177.1 and 2130706433 as addresses, so whatever ends in a number has to be one.
        if not _IPV4.fullmatch(host):
            raise EgressRefused(shown, "an IPv4 address is four decimal numbers from 0 to 255 without leading zeros")
        return True
    if labels[-1] == "":
        raise EgressRefused(shown, "the host ends with a dot")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise EgressRefused(shown, "the host is not a DNS name")
    if len(labels) == 1 and not accept_dotless(host):
        raise EgressRefused(shown, "the host has no dot")
    for label in labels:
        if label.startswith("xn--") and not _is_idna(label):
            raise EgressRefused(shown, f"{label!r} is not valid IDNA 2008")
    return False


def _is_idna(label: str) -> bool:
    try:
        return idna.encode(idna.decode(label)).decode("ascii") == label
    except (idna.IDNAError, UnicodeError):
        return False
