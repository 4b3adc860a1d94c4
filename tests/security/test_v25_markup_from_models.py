"""V25: what models and tenants write is text wherever it is shown: no page runs it, no terminal obeys it.

And no other site acts in a browser's name: changes want a credential that browsers do not send by themselves.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import sys

from rich.console import Console

from routeiq.cli.top_screen import screen
from routeiq.telemetry import logs
from routeiq_testkit import Reply, ScriptedUpstream

from .conftest import Govern
from .raw_http import Line
from .tenants import CHAT, Client, client_of

HTML = "<script>alert(1)</script><img src=x onerror=alert(2)><svg/onload=alert(3)>\"'><iframe src=javascript:alert(4)>"
TERMINAL = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m\x9b31m\x08\x08\r\n\u202e[link=http://x]click[/link][blink]b[/blink]"
)
EVIL = HTML + TERMINAL
OBEYED = re.compile("\x1b\\]|\x07|\x9b|\x1b\\[2J|\x08|\u202e|\x1b\\[5m")
"""What of TERMINAL a terminal would act on; colours are the screen's own."""
PAGES = re.compile("text/html|application/xhtml|image/svg|text/xml|application/javascript", re.IGNORECASE)


async def test_no_route_answers_with_a_page_that_could_run_it(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    running = await govern(plugins={"prometheus": {}, "policy-cedar": {}})
    master = client_of(running)
    await master.key_with(key_alias=EVIL.replace("\x00", ""), metadata={"note": EVIL})
    await master.good("POST", "/team/new", {"team_alias": EVIL})
    scripted_upstream.script(Reply.chat(EVIL).with_headers({"content-type": "text/html"}), Reply.chat(EVIL))
    await master.chat(model=HTML)
    answers = [await master.chat(), await master.chat(user=HTML), await master.chat(model=EVIL, messages=EVIL)]
    paths = {route.path for route in running.runtime.table.routes if route.method == "GET" and "{" not in route.path}
    paths |= {"/", "/docs", "/redoc", "/ui", "/ui/", "/sso/login", "/index.html", "/favicon.ico", "/%3Cscript%3E"}
    for path in sorted(paths):
        for accept in ("text/html", "*/*"):
            answers.append(await master.ask("GET", path, headers={"accept": accept}))
    wrong = [answer for answer in answers if PAGES.search(answer.headers.get("Content-Type", ""))]
    assert not wrong, wrong
    assert all(answer.headers.get("Content-Type") for answer in answers)


async def test_the_terminal_view_shows_names_and_obeys_none(govern: Govern) -> None:
    running = await govern()
    master = client_of(running)
    for _ in range(3):
        await master.chat(model=EVIL)
    told = await master.good("GET", "/routeiq/v1/live")
    told["models"][EVIL] = {
        "requests_per_second": 1.0, "share": 1.0, "errors": 1, "attempts": 1, "cost_usd_per_hour": 0.0,
        "first_token_ms": {"p50": 1.0, "p95": 1.0},
    }  # fmt: skip
    told["tools"][EVIL] = {
        "calls_per_second": 1.0, "errors": 1, "refused": 1, "duration_ms": {"p50": 1.0, "p95": 1.0},
    }  # fmt: skip
    told["unwell"], told["hook_errors"] = [EVIL], {EVIL: 1}
    told["refused"], told["strategies"] = {EVIL: 1}, {EVIL: 2}
    out = io.StringIO()
    Console(file=out, force_terminal=True, width=200).print(screen(told, f"http://x/{EVIL}"))
    shown = out.getvalue()
    assert "alert" in shown, "the name is there"
    assert OBEYED.findall(shown) == []
    assert "[link=" in shown or "click" in shown
    assert "\x1b]8;" not in shown, "markup makes no link"


async def test_the_commands_show_names_and_obey_none(govern: Govern) -> None:
    running = await govern()
    await client_of(running).key_with(key_alias=EVIL)
    await client_of(running).good("POST", "/team/new", {"team_id": "t", "team_alias": EVIL})
    for words in (("keys", "list"), ("teams", "list")):
        start = "from routeiq_governance.commands.{0} import {0}; {0}(prog_name='routeiq {0}')".format(words[0])
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", start, *words[1:], "--url", running.url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "ROUTEIQ_MASTER_KEY": running.key, "COLUMNS": "400", "FORCE_COLOR": "1"},
        )
        out = (await process.communicate())[0].decode()
        assert process.returncode == 0, out
        assert "alert(1)" in out, out
        assert OBEYED.findall(out) == [], words


def test_a_line_of_the_log_is_one_line_and_obeys_nothing(capfd, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    import structlog

    before = structlog.get_config()
    try:
        for style in ("json", "console"):
            logs.set_up(style, "info")
            structlog.get_logger("x").info("request", asked=EVIL, error=EVIL)
            shown = capfd.readouterr().err
            assert "alert(1)" in shown
            assert OBEYED.findall(shown) == [], style
            assert shown.count("\n") == 1, style
            assert style == "console" or json.loads(shown)["asked"] == EVIL, "nothing is lost"
    finally:
        structlog.configure(**before)


async def test_no_cookie_and_no_basic_login_of_a_browser_is_a_credential(govern: Govern) -> None:
    running = await govern()
    line = Line(running.url)
    wrong = []
    for route in running.runtime.table.routes:
        if route.access == "public":
            continue
        path = re.sub(r"\{\w+(?::\w+)?\}", "x", route.path)
        for name in ("token", "session", "key", "api_key", "authorization", "routeiq_session", "litellm", "jwt"):
            cookie = f"{name}={running.key}; x=Bearer {running.key}".encode()
            answer = await line.ask(route.method, f"{path}?{name}={running.key}", [(b"cookie", cookie)], b"{}")
            if answer.status != 401 or b"set-cookie" in answer.head.lower():
                wrong.append((route.method, path, name, answer.status))
                break
    line.close()
    assert not wrong, wrong


async def test_a_form_of_another_site_changes_nothing(govern: Govern) -> None:
    """What a browser sends across sites without asking has simple types and no key; and no answer allows it more."""
    running = await govern()
    line, host = Line(running.url), running.url.removeprefix("http://").encode()
    for method in ("POST", "OPTIONS"):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            headers = [(b"origin", b"https://evil.example"), (b"content-type", kind.encode())]
            headers += [(b"access-control-request-method", b"POST"), (b"content-length", b"22")]
            answer = await line.send(
                b"%s /user/new HTTP/1.1\r\nhost: %s\r\n" % (method.encode(), host)
                + b"".join(b"%s: %s\r\n" % pair for pair in headers)
                + b'\r\n{"user_id":"intruder"}'
            )
            assert answer.status in (401, 403, 405)
            assert b"access-control-allow" not in answer.head.lower()
    line.close()
    assert (await client_of(running).ask("GET", "/user/info", user_id="intruder")).status == 404
    assert (await Client(running, "").ask("POST", "/v1/chat/completions", CHAT)).status == 401
