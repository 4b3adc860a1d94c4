"""Reading a URL that nobody vouches for: every hop parsed and checked anew, with caps on size and time.

Calls to providers do not come through here; they stream through `client`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from routeiq.egress.call import Credentials, Timeouts
from routeiq.egress.policy import EgressPolicy
from routeiq.egress.tenants import Reach
from routeiq.egress.url import EgressRefused, Url

if TYPE_CHECKING:
    from routeiq.egress.client import Egress

REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What may follow a redirect to another origin: nothing in these says who is asking.
TRAVELLING_HEADERS = frozenset({"accept", "accept-language"})

_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole answer. `url` is where it came from in the end."""

    url: Url
    status: int
    headers: Mapping[str, str]
    body: bytes


async def fetch(
    egress: Egress,
    url_text: str,
    *,
    max_bytes: int,
    timeout: float,
    redirects: int,
    headers: Mapping[str, str] | None,
    credentials: Credentials | None,
    reach: Reach | None,
) -> Fetched:
    """GET `url_text`, following at most `redirects` redirects, within `timeout` seconds for all of it.

    Credentials and all but harmless headers stay behind when a redirect leaves the origin; one that leaves https is
    refused. `reach` binds every hop. Raises `EgressRefused`, `TimeoutError`, or aiohttp's `ClientError`.
    """
    url = egress.policy.parse(url_text)
    # Not compressed, so that the cap counts what really is held in memory.
    asked = {**(headers or {}), "Accept-Encoding": "identity"}
    async with asyncio.timeout(timeout):
        while True:
            async with egress.request(
                "GET",
                url,
                headers=asked,
                timeout=Timeouts(connect=timeout, read=timeout, total=timeout),
                credentials=credentials,
                untrusted=True,
                reach=reach,
                decompress=False,
            ) as response:
                location = response.headers.get("Location")
                if response.status not in REDIRECTS or location is None:
                    body = await read_capped(response, url, max_bytes)
                    return Fetched(url, response.status, response.headers.copy(), body)
            if redirects <= 0:
                raise EgressRefused(str(url), "it answered with a redirect, and no more of them are followed")
            redirects -= 1
            target = follow(egress.policy, url, location)
            if target.origin != url.origin:
                credentials = None
                asked = {
                    name: value
                    for name, value in asked.items()
                    if name.lower() in TRAVELLING_HEADERS or name == "Accept-Encoding"
                }
            url = target


def follow(policy: EgressPolicy, url: Url, location: str) -> Url:
    """What a `Location` header of `url` points to, parsed by the same grammar as any URL. Raises `EgressRefused`."""
    if _ABSOLUTE.match(location):
        target = policy.parse(location)
    elif location.startswith("//"):
        target = policy.parse(f"{url.scheme}:{location}")
    else:
        path = url.target.partition("?")[0]
        if location.startswith("/"):
            path = ""
        elif not location.startswith("?"):
            path = path[: path.rindex("/") + 1]
        target = url.with_target(path + location)
    if url.scheme == "https" and target.scheme == "http":
        raise EgressRefused(str(target), f"a redirect from {url.origin} leads from https to http")
    return target


async def read_capped(response: aiohttp.ClientResponse, url: Url, max_bytes: int) -> bytes:
    """The body, as long as it is no longer than `max_bytes` and was sent as is. Raises `EgressRefused`."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise EgressRefused(str(url), "the answer is compressed although that was not asked for")
    if (response.content_length or 0) > max_bytes:
        raise EgressRefused(str(url), f"the answer is longer than {max_bytes} bytes")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            raise EgressRefused(str(url), f"the answer is longer than {max_bytes} bytes")
    return bytes(body)
