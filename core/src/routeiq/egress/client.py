"""`Egress`: the gateway's one HTTP client, its pools, and the binding of credentials to their origin.

What a URL or an address may be is decided in `url`, `address` and `policy`; no protocol of a provider lives here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import aiohttp
from multidict import CIMultiDict

from routeiq import __version__
from routeiq.egress.call import DEFAULT_TIMEOUTS, Credentials, PendingResponse, PoolLimits, Timeouts
from routeiq.egress.confined import ConfinedCall
from routeiq.egress.connector import LOOKUP_SECONDS, AddressCheck, CheckedConnector, Lookup, system_lookup
from routeiq.egress.fetch import Fetched, fetch
from routeiq.egress.policy import EgressPolicy
from routeiq.egress.tenants import Reach
from routeiq.egress.unpinned import check
from routeiq.egress.url import EgressRefused, Url

# Names that strangers chose are looked up by threads of their own: a slow name server must not delay providers.
GUARDED_LOOKUP_THREADS = 4


class Egress:
    """Outbound HTTP for the whole gateway; belongs to one event loop.

        url = policy.parse("https://api.example.com/v1/models")
        async with egress.request("GET", url, credentials=credentials) as response:
            body = await response.read()

    There are two pools. Calls to origins the operator wrote use one, all others the guarded one, so a connection to a
    private address is never at hand for a URL that a stranger chose.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        limits: PoolLimits | None = None,
        lookup: Lookup | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._limits = limits or PoolLimits()
        self._lookup = lookup
        self._ssl_context = ssl_context
        self._operator: aiohttp.ClientSession | None = None
        self._guarded: aiohttp.ClientSession | None = None
        self._threads: ThreadPoolExecutor | None = None

    @property
    def policy(self) -> EgressPolicy:
        return self._policy

    async def open(self) -> None:
        """Make the pools. Call once, in the loop that will use them."""
        self._threads = ThreadPoolExecutor(GUARDED_LOOKUP_THREADS, thread_name_prefix="egress-lookup")
        self._operator = self._session(self._check_operator_address, self._lookup or system_lookup(None))
        self._guarded = self._session(self._check_guarded_address, self._lookup or system_lookup(self._threads))

    async def close(self) -> None:
        """Close both pools and cut what is still under way."""
        sessions, threads = (self._operator, self._guarded), self._threads
        self._operator = self._guarded = self._threads = None
        for session in sessions:
            if session is not None:
                await session.close()
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> Egress:
        await self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def use_policy(self, policy: EgressPolicy) -> None:
        """Swap the rules under a running client. Connections stay, and each is checked again when it is next taken."""
        self._policy = policy
        for session in (self._operator, self._guarded):
            if session is not None and isinstance(session.connector, aiohttp.TCPConnector):
                session.connector.clear_dns_cache()

    def request(
        self,
        method: str,
        url: Url,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | AsyncIterable[bytes] | None = None,
        timeout: Timeouts = DEFAULT_TIMEOUTS,
        credentials: Credentials | None = None,
        untrusted: bool = False,
        reach: Reach | None = None,
        decompress: bool = True,
    ) -> PendingResponse:
        """Start a call. Redirects are not followed, cookies and the environment's proxies are ignored.

        `untrusted` says that the URL did not come from the operator: then even an origin that the operator wrote
        elsewhere has to be public or allowed. `reach` confines it to what its tenant may call. Raises `EgressRefused`
        here or when the name resolves, before any byte leaves; the network's own failures are aiohttp's. With
        `decompress=False` the body comes as it was sent, so name the encodings you can pass on in `Accept-Encoding`.
        """
        if headers is not None and any(name.lower() == "host" for name in headers):
            raise ValueError("the Host header is made from the URL, so that a call goes where its URL says")
        if credentials is not None:
            if credentials.origin != url.origin:
                raise EgressRefused(str(url), f"the credentials belong to {credentials.origin}")
            merged = CIMultiDict(headers or {})
            merged.update(credentials.headers)
            headers = merged
        if not untrusted and url.origin in self._policy.operator_origins:
            session = self._operator
        else:
            self._policy.check_url(url)
            session = self._guarded
        if session is None:
            raise RuntimeError("egress is not open")
        start = partial(
            session.request,
            method,
            url.yarl,
            headers=headers,
            data=data,
            timeout=timeout.for_client,
            allow_redirects=False,
            auto_decompress=decompress,
        )
        if reach is not None and reach.check(url):
            return ConfinedCall(start, url, reach, self._lookup or system_lookup(self._threads))
        return start()

    async def fetch(
        self,
        url_text: str,
        *,
        max_bytes: int,
        timeout: float,
        redirects: int = 0,
        headers: Mapping[str, str] | None = None,
        credentials: Credentials | None = None,
        reach: Reach | None = None,
    ) -> Fetched:
        """GET a URL that nobody vouches for, such as an image in a prompt; see `routeiq.egress.fetch.fetch`."""
        return await fetch(
            self,
            url_text,
            max_bytes=max_bytes,
            timeout=timeout,
            redirects=redirects,
            headers=headers,
            credentials=credentials,
            reach=reach,
        )

    async def check(self, target: str) -> None:
        """Whether a library that opens its own connections may be given `target`; see `routeiq.egress.unpinned`."""
        await check(target, self._lookup or system_lookup(self._threads))

    async def vet(self, url: Url, reach: Reach | None = None) -> None:
        """Whether a guarded call to `url` would be made, were its name to stay what it is. Raises `EgressRefused`."""
        await self.addresses(url, untrusted=True, reach=reach)

    async def addresses(self, url: Url, *, untrusted: bool = False, reach: Reach | None = None) -> Sequence[str]:
        """The numeric addresses to which `request` would connect for `url` now, each checked as there. Raises
        `EgressRefused`, also for a name without any."""
        trusted = not untrusted and url.origin in self._policy.operator_origins
        check = self._check_operator_address if trusted else self._check_guarded_address
        if not trusted:
            self._policy.check_url(url)
        if reach is not None:
            reach.check(url)
        if url.is_literal:
            return (url.host,)
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                lookup = self._lookup or system_lookup(None if trusted else self._threads)
                addresses = await lookup(url.host, url.port)
        except (OSError, TimeoutError, UnicodeError):
            raise EgressRefused(str(url), "its name has no address now") from None
        for address in addresses:
            check(url.host, url.port, address)
            if reach is not None:
                reach.check_address(url, address)
        if not addresses:
            raise EgressRefused(str(url), "its name has no address now")
        return addresses

    def _check_operator_address(self, host: str, port: int, address: str) -> None:
        self._policy.check_operator_address(host, port, address)

    def _check_guarded_address(self, host: str, port: int, address: str) -> None:
        self._policy.check_address(host, port, address)

    def _session(self, check: AddressCheck, lookup: Lookup) -> aiohttp.ClientSession:
        limits = self._limits
        connector = CheckedConnector(
            check,
            lookup,
            limit=limits.connections,
            limit_per_host=limits.connections_per_origin,
            keepalive_timeout=limits.keepalive_seconds,
            ttl_dns_cache=limits.dns_seconds,
            ssl=self._ssl_context or True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"routeiq/{__version__}"},
            trust_env=False,
            read_bufsize=limits.read_buffer_bytes,
        )
