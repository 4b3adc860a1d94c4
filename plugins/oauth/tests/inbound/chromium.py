"""A real browser: Chromium without a window, driven over its DevTools protocol. Where there is none, Debian's package
is installed."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

_SECONDS = 60.0
_UNATTENDED = {"DEBIAN_FRONTEND": "noninteractive"}
_NAMES = ("chromium", "chromium-browser", "google-chrome")


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, session: str) -> None:
        self._socket = socket
        self._session = session
        self._numbers = itertools.count(100)

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its result."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "sessionId": self._session, "method": method, "params": params})
        async with asyncio.timeout(_SECONDS):
            while (told := await self._socket.receive_json()).get("id") != number:
                pass
        assert "error" not in told, told
        result: dict[str, Any] = told["result"]
        return result

    async def go(self, url: str) -> None:
        """Open an address, as by typing it."""
        await self.ask("Page.navigate", url=url)

    async def run(self, script: str) -> Any:
        """What a script on the page gives; `None` while the page changes."""
        told = await self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        return told["result"].get("value")

    async def see(self, text: str) -> str:
        """The page's text, once `text` is on it. Its address when it never is."""
        shown = ""
        for _ in range(200):
            shown = str(await self.run("location.href + ' ' + (document.body ? document.body.innerText : '')"))
            if text in shown:
                return shown
            await asyncio.sleep(0.05)
        raise AssertionError(f"no {text!r} on: {shown}")


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Tab]:
    """A browser with an empty profile in `folder`."""
    flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
    process = await asyncio.create_subprocess_exec(
        await asyncio.to_thread(_program),
        *flags,
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(_SECONDS):
            line = b""
            while b"DevTools listening on " not in line:
                line = await process.stderr.readline()
                assert line, "the browser did not start"
        drained = asyncio.ensure_future(process.stderr.read())
        url = line.decode().partition("listening on ")[2].strip()
        async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
            target = await _ask(socket, 1, "Target.createTarget", url="about:blank")
            attached = await _ask(socket, 2, "Target.attachToTarget", targetId=target["targetId"], flatten=True)
            yield Tab(socket, attached["sessionId"])
        drained.cancel()
    finally:
        process.kill()
        await process.wait()


def _program() -> str:
    """The browser's path. Fails with the mend where there is none and none can be had."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is not None:
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": os.environ | _UNATTENDED}
        for command in (("apt-get", "update"), ("apt-get", "install", "-y", "--no-install-recommends", "chromium")):
            subprocess.run(command, check=False, **quiet)
        found = shutil.which("chromium")
    assert found is not None, "this test needs Chromium, and could not install it: apt-get install chromium"
    return found


async def _ask(socket: aiohttp.ClientWebSocketResponse, number: int, method: str, **params: Any) -> dict[str, Any]:
    await socket.send_str(json.dumps({"id": number, "method": method, "params": params}))
    while (told := await socket.receive_json()).get("id") != number:
        pass
    result: dict[str, Any] = told["result"]
    return result
