"""A person without a browser on the gateway's own pages.

What the pages say is their own tests' business.
"""

from __future__ import annotations

import html
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urljoin

import httpx

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_ACTION = re.compile(r'<form method="post" action="([^"]*)"')


def with_key(key: str, callback: str) -> Callable[[str], Awaitable[str]]:
    """A walk from a client's link through the gateway's own pages to `callback`, which is returned unvisited: type the
    key, press the button."""

    async def walk(url: str) -> str:
        async with httpx.AsyncClient() as browser:
            for _ in range(8):
                answer = await browser.get(url)
                if answer.status_code == 200:
                    form = {name: html.unescape(value) for name, value in _HIDDEN.findall(answer.text)}
                    form |= {"key": key} if 'name="key"' in answer.text else {"answer": "allow"}
                    action = _ACTION.search(answer.text)
                    assert action is not None, answer.text
                    answer = await browser.post(urljoin(url, action[1]), data=form)
                assert answer.is_redirect, f"{answer.status_code}: {answer.text}"
                url = urljoin(url, answer.headers["location"])
                if url.startswith(callback):
                    return url
        raise AssertionError("the way has no end")

    return walk
