"""Made-up URLs between harmless and hostile, and whether the parsers of Python agree on where one goes.

Either all of them see the host that we see, or we refuse the text: nothing is between.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx
import urllib3.util
import yarl

from routeiq.egress import EgressRefused, parse_url

_SCHEMES = ["http://"] * 12 + ["https://"] * 6
_SCHEMES += ["HTTP://", "hTtPs://", "http:", "http:/", "http:///", "//", "ftp://", ""]
_USERS = [""] * 14 + ["a@", "a:b@", "@", "127.0.0.1@", "a%40b@", "\\@", "example.com:80@"]
_HOSTS = [
    *("example.com", "api.example.org", "a-b.example.co.uk", "_dmarc.example.com", "EXAMPLE.com"),
    *("xn--bcher-kva.example", "localhost", "example.com.", "a..b.example", "-a.example", "", "*"),
    *("127.0.0.1", "93.184.216.34", "0x7f.1", "2130706433", "0177.0.0.1", "1.2.3", "1.2.3.4.5", "256.1.1.1"),
    *("[::1]", "[2606:2800:220:1::1]", "[::ffff:1.2.3.4]", "[fe80::1%25lo]", "[::g]", "::1", "[1.2.3.4]", "[]"),
    *("10.0.0.01", "b\u00fccher.example", "\u2460\u2461\u2466.0.0.1", "127\u30020\u30020\u30021"),
]
_PORTS = [""] * 10 + [":80", ":443", ":8080", ":65535", ":0", ":", ":080", ":99999", ":+80", ":8a", ":80:80", ": 80"]
_TAILS = ["", "/", "/a/b", "/a?b=c", "?x=1", "/a;b", "/%2e%2e/", "/a//b"]
_TAILS += ["/@b", "/a:b", "?@x", "/[a]", "/a|b", "/#f", "#@x"]
_NOISE = [*"\\/@:#?%[]!$&'()*+,;=-._~<>{}|^`\" 0x\t\r\n\x00", "\u3002", "\uff0f", "\u2100", "\u200b"]


def made_up(seed: int) -> Iterator[str]:
    """Texts without end, the same ones for a seed."""
    rng = random.Random(seed)
    pick = rng.choice
    while True:
        host = pick(_HOSTS)
        if rng.random() < 0.3:
            host = f"h{rng.randrange(1000)}.{pick(('example.com', 'test.example', 'co.uk'))}"
        elif rng.random() < 0.15:
            host = ".".join(str(rng.randrange(260)) for _ in range(4))
        elif rng.random() < 0.1:
            host = (
                f"[{rng.getrandbits(128):x}]"
                if rng.random() < 0.2
                else f"[{ip_address(rng.getrandbits(128) | 1 << 127)}]"
            )
        text = pick(_SCHEMES) + pick(_USERS) + host + pick(_PORTS) + pick(_TAILS)
        for _ in range(pick((0, 0, 0, 0, 1, 1, 2))):
            place = rng.randrange(len(text) + 1)
            text = text[:place] + pick(_NOISE) + text[place + pick((0, 1)) :]
        yield text


def _urlsplit(text: str) -> tuple[str | None, int | None]:
    parts = urlsplit(text)
    return parts.hostname, parts.port


def _httpx(text: str) -> tuple[str | None, int | None]:
    url = httpx.URL(text)
    return url.raw_host.decode("ascii"), url.port


def _yarl(text: str) -> tuple[str | None, int | None]:
    url = yarl.URL(text, encoded=True)
    return url.raw_host, url.explicit_port


def _urllib3(text: str) -> tuple[str | None, int | None]:
    url = urllib3.util.parse_url(text)
    return url.host, url.port


PARSERS: dict[str, Callable[[str], tuple[str | None, int | None]]] = {
    "urlsplit": _urlsplit,
    "httpx": _httpx,
    "yarl": _yarl,
    "urllib3": _urllib3,
}


def disagreement(text: str) -> str | None:
    """What another parser makes of a URL that we take; `None` when all agree, or refuse. Raises `EgressRefused` when
    we do."""
    ours = parse_url(text)
    default = 80 if ours.scheme == "http" else 443
    for name, parse in PARSERS.items():
        try:
            host, port = parse(text)
        except (ValueError, httpx.InvalidURL, urllib3.exceptions.HTTPError):
            continue  # it goes nowhere
        if _plain(host) != ours.host or (port or default) != ours.port:
            return f"{text!r}: {name} reads {host!r}, port {port}; we {ours.host!r}, port {ours.port}"
    return None


def _plain(host: str | None) -> str:
    text = (host or "").lower().removeprefix("[").removesuffix("]")
    try:
        return str(ip_address(text)) if ":" in text else text
    except ValueError:
        return text


def count(texts: Iterator[str], most: int) -> tuple[int, list[str]]:
    """How many of so many texts we took, and the disagreements among those."""
    taken, wrong = 0, []
    for _ in range(most):
        try:
            found = disagreement(next(texts))
        except EgressRefused:
            continue
        taken += 1
        if found is not None:
            wrong.append(found)
    return taken, wrong
