"""V23: nothing of one tenant is seen by another: no answer, prompt, decision, spend, key, model, name or session."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.replies.base import BaseReply

from .tenants import MARK, Client, Tenants

ATTACKERS = ("olga", "tess", "uma", "uma-blue", "robot", "bare")
_PARAMETER = re.compile(r"\{\w+(?::\w+)?\}")


async def rivals_day(both: Tenants, up: ScriptedUpstream) -> list[str]:
    """The tenant `rival` works; everything that must not be seen by others."""
    key = both["rita-red"]
    ids = []
    for fields in ({}, {"stream": True}, {"model": "smart", "metadata": {"tags": [f"{MARK}-tag"]}}):
        up.script(Reply.stream([f"{MARK}-answer"]) if fields.get("stream") else Reply.chat(f"{MARK}-answer"))
        answer = await key.chat(
            **fields, user=f"{MARK}-end-user", messages=[{"role": "user", "content": f"{MARK}-prompt"}]
        )
        assert answer.status == 200, answer
        ids.append({name.lower(): value for name, value in answer.headers.items()}["x-litellm-call-id"])
    await key.chat(model=f"{MARK}-no-such-model")
    row = {"model": "openai/x", "api_key": "sk-of-their-own-provider"}
    info = {"id": "red-model", "team_id": "red"}
    name = f"{MARK}-model"
    await both.master.good("POST", "/model/new", {"model_name": name, "litellm_params": row, "model_info": info})
    await both.master.gateway.app.shared.background.finish(5)
    return [MARK, "red-model", key.id, *ids]


async def test_no_page_that_can_be_read_shows_anything_of_another_tenant(
    both: Tenants, scripted_upstream: ScriptedUpstream
) -> None:
    secret = await rivals_day(both, scripted_upstream)
    gateway = both.master.gateway
    wrong, seen = [], 0
    for who in ATTACKERS:
        client = both[who]
        for route in gateway.runtime.table.routes:
            if route.method != "GET":
                continue
            for value in ("red", "rita", "rival", secret[2], secret[3], f"dec-{secret[3]}", f"{MARK}-model"):
                path = _PARAMETER.sub(value, route.path)
                answer = await client.ask("GET", path)
                asked = {value, value.removeprefix("dec-")}
                text = answer.text.replace(value, "")  # a refusal repeats what was asked for
                leaked = [each for each in secret if each not in asked and each in text]
                seen += answer.status == 200
                if leaked or (f"{MARK}-model" in asked and answer.status == 200 and "{" in route.path):
                    wrong.append((who, path, answer.status, leaked, answer.text[:300]))
                if "{" not in route.path:
                    break
    assert not wrong, "\n".join(map(str, wrong))
    assert seen > 50


async def test_searches_by_what_belongs_to_others_find_nothing(
    both: Tenants, scripted_upstream: ScriptedUpstream
) -> None:
    secret = await rivals_day(both, scripted_upstream)
    queries: list[tuple[str, dict[str, str]]] = []
    for path in (
        "/spend/logs",
        "/spend/logs/v2",
        "/spend/logs/ui",
        "/global/spend/report",
        "/spend/tags",
        "/spend/users",
    ):
        for name, value in (
            ("api_key", secret[2]),
            ("team_id", "red"),
            ("user_id", "rita"),
            ("request_id", secret[3]),
            ("end_user", f"{MARK}-end-user"),
            ("organization_id", "rival"),
            ("tags", f"{MARK}-tag"),
        ):
            queries.append((path, {name: value}))
    for path in ("/key/list", "/key/aliases", "/team/list", "/v2/team/list", "/user/list", "/organization/list"):
        for name, value in (("team_id", "red"), ("user_id", "rita"), ("organization_id", "rival"), ("search", "rival")):
            queries.append((path, {name: value, "return_full_object": "true", "include_team_keys": "true"}))
    for path in ("/routeiq/v1/decisions",):
        queries += [(path, {"team": "red"}), (path, {"principal": secret[2]}), (path, {"user": "rita"}), (path, {})]
    for path in ("/team/daily/activity", "/user/daily/activity", "/organization/daily/activity", "/tag/daily/activity"):
        queries += [(path, {"team_ids": "red", "start_date": "2020-01-01", "end_date": "2100-01-01"}), (path, {})]
    wrong = []
    for who in ATTACKERS:
        for path, query in queries:
            answer = await both[who].ask("GET", path, **query)
            leaked = [each for each in secret if each in answer.text and each not in query.values()]
            if leaked or answer.status >= 500:
                wrong.append((who, path, query, answer.status, leaked))
    assert not wrong, "\n".join(map(str, wrong))


async def test_the_same_question_at_the_same_time_gets_its_own_answer(
    both: Tenants, scripted_upstream: ScriptedUpstream
) -> None:
    """No answer is shared, cached or mixed up: each prompt comes back to whoever sent it, streamed or not."""
    up, gateway = scripted_upstream, both.master.gateway

    async def ask(client: Client, number: int, stream: bool) -> str:
        body: dict[str, Any] = {"model": "fast", "stream": stream, "user": "same-session", "messages": [
            {"role": "user", "content": "the same question"}, {"role": "user", "content": f"<{client.id[:8]}-{number}>"}
        ]}  # fmt: skip
        headers = {"authorization": f"Bearer {client.key}", "x-litellm-session-id": "one-session"}
        async with gateway.session.post("/v1/chat/completions", json=body, headers=headers) as response:
            return f"{number} {response.status} {(await response.read()).decode()}"

    up.default_for("scripted-model", BaseReply("echo", _echo, delay=0.01))  # type: ignore[arg-type]
    clients = (both["uma-blue"], both["rita-red"])
    told = await asyncio.gather(*(ask(clients[n % 2], n, n % 3 == 0) for n in range(40)))
    for number, text in enumerate(told):
        mine = f"<{clients[number % 2].id[:8]}-{number}>"
        assert text.startswith(f"{number} 200 ")
        said = set(re.findall(r"<[0-9a-f]{8}-\d+>", _joined(text)))
        assert said == {mine}, (mine, said)


def _joined(text: str) -> str:
    """The contents of all chunks, or the text as it is."""
    parts = []
    for line in text.splitlines():
        if line.startswith("data: {"):
            parts += [choice["delta"].get("content") or "" for choice in json.loads(line[6:])["choices"]]
    return "".join(parts) or text


def _echo(request: Any, head: Any) -> Any:
    """What it was told last, in pieces when it streams."""
    text = request.json["messages"][-1]["content"]
    reply = Reply.stream(list(text)) if request.json.get("stream") else Reply.chat(text)
    return reply.content(request, head)


async def test_the_live_view_and_the_status_are_the_operators(
    both: Tenants, scripted_upstream: ScriptedUpstream
) -> None:
    await rivals_day(both, scripted_upstream)
    for who in (*ATTACKERS, "rolf"):
        for path in ("/routeiq/v1/live", "/routeiq/v1/status", "/routeiq/v1/decisions", "/routeiq/v1/decisions/x"):
            assert (await both[who].ask("GET", path)).status == 403, (who, path)
