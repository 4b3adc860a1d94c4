"""What a real browser makes of the pages: its policies on forms, origins and cookies let the person through, and nobody
else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from aiohttp import web

from routeiq_testkit.gateway import TestGateway

from .chromium import Tab, chromium
from .client import Client

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(420),
]  # the first test that needs it may wait for Debian's package


@pytest_asyncio.fixture
async def callback() -> AsyncIterator[str]:
    """A program on the person's machine that waits for the answer."""

    async def arrived(request: web.Request) -> web.Response:
        return web.Response(text=f"arrived with {sorted(request.query)}")

    app = web.Application()
    app.router.add_get("/cb", arrived)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/cb"
    await runner.cleanup()


@pytest_asyncio.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    """A browser's tab."""
    async with chromium(tmp_path / "profile") as tab:
        yield tab


async def test_a_person_signs_in_agrees_and_arrives(served: TestGateway, callback: str, tab: Tab) -> None:
    async with Client(served.url, "desk", callback) as client:
        await tab.go(f"{served.url}/authorize?{urlencode(client.question())}")
        await tab.see("Gateway key")
        await tab.run("document.querySelector('input[name=key]').value = 'sk-wrong'")
        await tab.run("document.querySelector('button').click()")
        await tab.see("not known here")
        await tab.run("document.querySelector('input[name=key]').value = 'sk-ann'")
        await tab.run("document.querySelector('button').click()")
        await tab.see("wants to use GitHub")
        await tab.run("document.querySelector('button[value=allow]').click()")
        shown = await tab.see("arrived with ['code', 'iss', 'state']")
    assert shown.startswith(callback)


async def test_the_page_of_clients_takes_back(served: TestGateway, callback: str, tab: Tab) -> None:
    async with Client(served.url, "desk", callback) as client:
        await tab.go(f"{served.url}/authorize?{urlencode(client.question())}")
        await tab.see("Gateway key")
        await tab.run("document.querySelector('input[name=key]').value = 'sk-ann'")
        await tab.run("document.querySelector('button').click()")
        await tab.see("wants to use GitHub")
        await tab.run("document.querySelector('button[value=allow]').click()")
        await tab.see("arrived with")
        code = await tab.run("new URLSearchParams(location.search).get('code')")
        _, told = await client.redeem(code)
        assert (await client.call(told["access_token"]))[0] == 200
        await tab.go(served.url + "/authorize/clients")
        await tab.see("Take back")
        await tab.run("document.querySelector('button').click()")
        await tab.see("No client may act for you")
        assert (await client.call(told["access_token"]))[0] == 401


async def test_nobody_frames_the_page_and_no_script_of_a_client_runs(
    served: TestGateway, callback: str, tab: Tab
) -> None:
    async with Client(served.url, "desk", callback) as client:
        question = f"{served.url}/authorize?{urlencode(client.question())}"
        await tab.go(callback)
        await tab.see("arrived")
        assert await framed(tab, callback) == callback, "others can be framed"
        assert await framed(tab, question) == "chrome-error://chromewebdata/"
        await tab.go(question)
        await tab.see("Gateway key")
        for policed in (True, False):
            await tab.run(
                "{ const added = document.createElement('script'); added.textContent = 'window.ran = 1'; "
                "document.body.append(added) }"
            )
            assert await tab.run("window.ran") == (None if policed else 1)
            await tab.go(callback)
            await tab.see("arrived")


async def framed(tab: Tab, url: str) -> str:
    """Where a frame for `url` on the current page ends up."""
    script = (
        "new Promise(done => { const frame = document.createElement('iframe'); frame.onload = done; "
        f"frame.src = {url!r}; document.body.replaceChildren(frame); }}).then(() => true)"
    )
    await tab.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
    tree = await tab.ask("Page.getFrameTree")
    (child,) = tree["frameTree"]["childFrames"]
    return str(child["frame"]["url"])
