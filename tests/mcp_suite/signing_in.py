"""A person without a browser on the gateway's own pages.

What the pages say is their own tests' business.
"""

from __future__ import annotations

import html
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urljoin

import httpx

Walk = Callable[[str], Awaitable[str]]
"""From a link to the address where the way ends, which is unvisited."""
CONNECTED = "You are connected"
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_ACTION = re.compile(r'<form method="post"(?: action="([^"]*)")?>')
_GO_ON = re.compile(r'<a href="([^"]+)" rel="noreferrer">Go on</a>')


def with_key(key: str, callback: str) -> Walk:
    """A walk from a client's link through the gateway's own pages to `callback`, which is returned unvisited: type the
    key, press the button."""

    async def walk(url: str) -> str:
        async with httpx.AsyncClient() as browser:
            for _ in range(8):
                answer = await browser.get(url)
                if answer.status_code == 200:
                    answer = await _submit(browser, answer, key)
                assert answer.is_redirect, f"{answer.status_code}: {answer.text}"
                url = urljoin(url, answer.headers["location"])
                if url.startswith(callback):
                    return url
        raise AssertionError("the way has no end")

    return walk


async def agree(link: str, key: str, there: Walk) -> httpx.Response:
    """Open a link to a consent page, type the key, agree, go the way `there` at the authorization server, and come
    back: the gateway's last page, or the first one that leads nowhere."""
    async with httpx.AsyncClient(timeout=60) as browser:
        answer = await browser.get(link)
        for _ in range(8):
            going = _GO_ON.search(answer.text)
            if going is not None:
                return await browser.get(await there(html.unescape(going[1])))
            if answer.is_redirect:
                answer = await browser.get(urljoin(str(answer.url), answer.headers["location"]))
            elif answer.status_code == 200 and _ACTION.search(answer.text) is not None:
                answer = await _submit(browser, answer, key)
            else:
                return answer
    raise AssertionError("the way has no end")


async def straight(url: str) -> str:
    """The way at an authorization server that asks nobody: where it sends the browser back to."""
    async with httpx.AsyncClient(timeout=60) as browser:
        answer = await browser.get(url)
    assert answer.is_redirect, f"{answer.status_code}: {answer.text}"
    return urljoin(url, answer.headers["location"])


async def _submit(browser: httpx.AsyncClient, page: httpx.Response, key: str) -> httpx.Response:
    form = {name: html.unescape(value) for name, value in _HIDDEN.findall(page.text)}
    form |= {"key": key} if 'name="key"' in page.text else {"answer": "allow"}
    action = _ACTION.search(page.text)
    assert action is not None, page.text
    return await browser.post(urljoin(str(page.url), html.unescape(action[1] or "")), data=form)
