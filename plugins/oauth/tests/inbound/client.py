"""An OAuth client of tests, which does what it is told, also what no client should."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import aiohttp

from .browser import Browser, Page, Pkce


class Client:
    """`async with Client(gateway.url, "editor", redirect_uri) as client:`"""

    def __init__(self, origin: str, id: str, redirect_uri: str, *, path: str = "/github/mcp") -> None:
        self.origin = origin
        self.id = id
        self.redirect_uri = redirect_uri
        self.resource = origin + path
        self.pkce = Pkce()
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Client:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    def question(self, **changes: str | None) -> dict[str, str]:
        """An authorization request. A change of `None` takes a parameter away."""
        asked = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": self.redirect_uri,
            "scope": "read",
            "state": "st-1",
            "code_challenge": self.pkce.challenge,
            "code_challenge_method": "S256",
            "resource": self.resource,
            **changes,
        }
        return {name: value for name, value in asked.items() if value is not None}

    async def ask(self, browser: Browser, key: str = "sk-ann", **changes: str | None) -> Page:
        """The page on which the person decides; it signs in with `key` when nobody is."""
        page = await browser.get("/authorize", **self.question(**changes))
        return await browser.sign_in(page, key) if 'name="key"' in page.text else page

    async def code(self, browser: Browser, key: str = "sk-ann", **changes: str | None) -> str:
        """A code that the person granted."""
        page = await self.ask(browser, key, **changes)
        if page.elsewhere is None:
            page = await browser.press(page, answer="allow")
        return page.told["code"]

    async def redeem(self, code: str, /, **changes: str | None) -> tuple[int, dict[str, Any]]:
        """The token endpoint's answer to a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.id,
            "code_verifier": self.pkce.verifier,
            "resource": self.resource,
            **changes,
        }
        return await self.post("/token", **form)

    async def refresh(self, token: str, /, **changes: str | None) -> tuple[int, dict[str, Any]]:
        """The token endpoint's answer to a refresh token."""
        return await self.post(
            "/token", **{"grant_type": "refresh_token", "refresh_token": token, "client_id": self.id, **changes}
        )

    async def tokens(self, browser: Browser, key: str = "sk-ann", **changes: str | None) -> dict[str, Any]:
        """Tokens that the person granted."""
        status, told = await self.redeem(await self.code(browser, key, **changes))
        assert status == 200, told
        return told

    async def post(
        self, path: str, *, headers: dict[str, str] | None = None, **form: str | None
    ) -> tuple[int, dict[str, Any]]:
        """Send a form without what is `None`."""
        data = {name: value for name, value in form.items() if value is not None}
        async with self._session.post(self.origin + path, data=data, headers=headers) as response:
            raw = await response.read()
            return response.status, await response.json() if raw else {}

    async def call(self, token: str, path: str = "/github/mcp") -> tuple[int, Any, Any]:
        """Call a resource: status, answer, headers."""
        headers = {"authorization": f"Bearer {token}"}
        async with self._session.post(self.origin + path, headers=headers) as response:
            return response.status, await response.json(), response.headers
