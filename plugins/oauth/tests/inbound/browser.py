"""A browser of tests: it keeps cookies, reads forms, and goes where it is sent, unless that is elsewhere."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
from yarl import URL


@dataclass
class Page:
    """What came: status, text, headers, and the first form on it."""

    status: int
    url: str
    text: str
    headers: Any
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def elsewhere(self) -> str | None:
        """Where it leads outside the gateway."""
        location = self.headers.get("location")
        return urljoin(self.url, location) if location is not None else None

    @property
    def told(self) -> dict[str, str]:
        """The query of where it leads."""
        assert self.elsewhere is not None, (self.status, self.text)
        return {name: values[0] for name, values in parse_qs(urlsplit(self.elsewhere).query).items()}


class Browser:
    """`async with Browser(gateway.url) as browser:`"""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Browser:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    @property
    def cookies(self) -> aiohttp.abc.AbstractCookieJar:
        """What it keeps."""
        return self._session.cookie_jar

    async def get(self, url: str, **query: str) -> Page:
        """Open a page and follow where it leads, as long as that is the gateway."""
        return await self._follow("GET", urljoin(self.origin, url), params=query)

    async def press(self, page: Page, **fields: str) -> Page:
        """Send the form of a page."""
        return await self._follow(
            "POST",
            urljoin(page.url, page.action),
            data={**page.fields, **fields},
            headers={"origin": self.origin},
        )

    def has_session(self) -> None:
        """Bob is signed in, as another plugin does it."""
        self.cookies.update_cookies({"session": "bob"}, URL(self.origin))

    async def sign_in(self, page: Page, key: str) -> Page:
        """Type a key into the form."""
        assert 'name="key"' in page.text, page.text
        return await self.press(page, key=key)

    async def _follow(self, method: str, url: str, **more: Any) -> Page:
        for _ in range(10):
            async with self._session.request(method, url, allow_redirects=False, **more) as response:
                page = Page(response.status, str(response.url), await response.text(), response.headers)
            location = page.elsewhere
            if location is None or not location.startswith(self.origin + "/"):
                reader = _Form()
                reader.feed(page.text)
                page.action, page.fields = reader.action, reader.fields
                return page
            method, url, more = "GET", location, {}
        raise AssertionError(f"{url} leads on and on")


class _Form(HTMLParser):
    """The first form of a page: where it goes, its hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "form" and not self.action:
            self.action = told.get("action") or ""
        if tag == "input" and told.get("type") == "hidden":
            self.fields[str(told.get("name"))] = told.get("value") or ""


@dataclass(frozen=True)
class Pkce:
    """A verifier and its challenge."""

    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """S256 of the verifier."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
