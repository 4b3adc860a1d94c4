"""Gateways with the oauth plugin and the calling plugin, and a browser without scripts that walks through consent."""

from __future__ import annotations

import html
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .calling import CallersPlugin, CallingPlugin

Open = Callable[..., Awaitable[TestGateway]]
INSTALLED: dict[str, type[Any]] = {"test-callers": CallersPlugin, "test-calling": CallingPlugin}
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_FORM = re.compile(r'<form method="post"(?: action="([^"]*)")?>')
_LINK = re.compile(r'<a href="([^"]+)" rel="noreferrer">Go on</a>')


def opener(start: StartGateway, folder: PluginFolder) -> Open:
    """A function that starts a gateway whose upstreams are these, with this oauth block."""
    for name, kind in (("test-callers", "auth"), ("test-calling", "plugin")):
        source = f"import sys\nFixture = sys.modules[{__name__!r}].INSTALLED[{name!r}]\n"
        folder.install(name, source, kind=kind)

    async def open_gateway(
        upstreams: dict[str, Any],
        *,
        untrusted: bool = False,
        routeiq: dict[str, Any] | None = None,
        more_plugins: dict[str, Any] | None = None,
        **oauth: Any,
    ) -> TestGateway:
        calling = {"upstreams": upstreams, "untrusted": untrusted}
        plugins = {"oauth": oauth, "test-callers": {}, "test-calling": calling, **(more_plugins or {})}
        return await start(
            {
                "model_list": [],
                "routeiq": {"egress": {"allow": ["127.0.0.0/8"]}, "plugins": plugins, **(routeiq or {})},
            }
        )

    return open_gateway


async def call(running: TestGateway, upstream: str, key: str, said: str = "", **headers: str) -> httpx.Response:
    """Call an upstream through the gateway."""
    async with httpx.AsyncClient(timeout=60) as http:
        return await http.post(
            f"{running.url}/test/call/{upstream}",
            json={"said": said},
            headers={"authorization": f"Bearer {key}", **{name.replace("_", "-"): at for name, at in headers.items()}},
        )


class Browser:
    """Follows links and submits forms one by one; cookies as a browser keeps them."""

    def __init__(self, running: TestGateway) -> None:
        self.running = running
        self.http = httpx.AsyncClient(timeout=60)

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.http.aclose()

    async def get(self, url: str) -> httpx.Response:
        return await self.http.get(self._here(url))

    async def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Submit the first form of a page with its hidden fields and these."""
        found = _FORM.search(page.text)
        assert found is not None, page.text
        action = html.unescape(found[1]) if found[1] else str(page.url)
        rest = page.text[found.end() : page.text.index("</form>", found.end())]
        hidden = {name: html.unescape(value) for name, value in _FIELD.findall(rest)}
        return await self.http.post(self._here(action), data={**hidden, **fields})

    async def sign_in(self, key: str, path: str = "/connections") -> httpx.Response:
        """Type a key into the sign-in page that `path` shows, and go where it leads."""
        answer = await self.submit(await self.get(path), key=key)
        if answer.status_code != 303:
            return answer
        return await self.get(answer.headers["location"])

    async def leave(self, question: httpx.Response) -> str:
        """Agree to a question; where the gateway sends the browser."""
        going = await self.submit(question)
        assert going.status_code == 200, going.text
        link = _LINK.search(going.text)
        assert link is not None, going.text
        return html.unescape(link[1])

    async def back(self, away: str) -> str:
        """Go to the authorization server; where it sends the browser back to."""
        answer = await self.http.get(away)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def consent(self, url: str, key: str) -> httpx.Response:
        """The whole way, from the link to the last page."""
        question = await self.sign_in(key, url)
        assert question.status_code == 200, question.text
        return await self.get(await self.back(await self.leave(question)))

    def _here(self, url: str) -> str:
        parts = urlsplit(url)
        return self.running.url + parts.path + (f"?{parts.query}" if parts.query else "")


async def connect(running: TestGateway, upstream: str, key: str) -> None:
    """Call, be asked, agree."""
    asked = await call(running, upstream, key)
    assert asked.status_code == 412, asked.text
    async with Browser(running) as browser:
        done = await browser.consent(asked.json()["consent"], key)
        assert done.status_code == 200, done.text
        assert "You are connected" in done.text
