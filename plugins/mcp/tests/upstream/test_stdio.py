"""A stdio server: started only when signed, with nothing but what is configured, and never left behind."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from routeiq_mcp.upstream import ServerSpec, SignedProgram, WatchedUpstream, open_upstream
from routeiq_mcp.upstream.failures import Failure
from routeiq_mcp.upstream.signed import sign
from routeiq_sdk import ConfigError, Secret
from routeiq_sdk.testing import FakeGateway

from .parts import Client, RealClock, caller, text_of

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
SERVER = str(Path(__file__).with_name("stdio_server.py"))


def trusting(gateway: FakeGateway, public: bytes | None = None) -> FakeGateway:
    gateway.keys_dir.mkdir(parents=True, exist_ok=True)
    raw = KEY.public_key().public_bytes_raw() if public is None else public
    (gateway.keys_dir / "operator.pub").write_bytes(base64.b64encode(raw) + b"\n")
    return gateway


def program(*args: str, **changes: Any) -> SignedProgram:
    made = SignedProgram(command=sys.executable, args=(SERVER, *args), **changes)
    return made.model_copy(update={"signature": sign("child", made, PEM)})


@asynccontextmanager
async def running(*args: str, spec: dict[str, Any] | None = None, **changes: Any) -> AsyncIterator[WatchedUpstream]:
    gateway = trusting(FakeGateway("mcp"))
    gateway.clock = RealClock()  # type: ignore[assignment]
    made = ServerSpec("child", "stdio", program=program(*args, **changes), trusted=True, **(spec or {}))
    upstream = open_upstream(made, gateway)
    try:
        yield upstream
    finally:
        await upstream.close()
        await gateway.aclose()


async def call(upstream: WatchedUpstream, name: str, client: Client | None = None, **more: Any) -> str:
    params = {"name": name, "arguments": {}, **more}
    return text_of(await upstream.request(caller(), "tools/call", params, client or Client()))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_signed_program_is_started_and_speaks(era: str) -> None:
    async with running(era) as upstream:
        facts = await upstream.facts(caller())
        assert facts.era == era
        meta = json.loads(await call(upstream, "meta"))
        assert ("io.modelcontextprotocol/clientInfo" in meta) == (era == "modern")
        assert "traceparent" in meta
        assert upstream.health.era == era


async def test_one_process_serves_everybody() -> None:
    async with running() as upstream:
        pids = await asyncio.gather(*(call(upstream, "pid") for _ in range(10)))
        assert len(set(pids)) == 1


async def test_arguments_are_no_words_for_a_shell(tmp_path: Path) -> None:
    odd = f"; touch {tmp_path}/made; $(touch {tmp_path}/made) `id` *"
    async with running(odd, cwd=str(tmp_path)) as upstream:
        assert json.loads(await call(upstream, "arguments")) == [odd, str(tmp_path)]
        assert list(tmp_path.iterdir()) == []


async def test_the_environment_is_what_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTEIQ_MASTER_KEY", "sk-master")
    async with running(env={"SERVER_TOKEN": Secret("s3cret-of-the-server")}) as upstream:
        told = json.loads(await call(upstream, "environment"))
        assert told["SERVER_TOKEN"] == "s3cret-of-the-server"
        assert set(told) - {"LC_CTYPE"} == {"SERVER_TOKEN"} | ({"PATH", "HOME"} & set(os.environ))


async def test_close_ends_the_process_and_what_it_started() -> None:
    async with running() as upstream:
        pid, child = int(await call(upstream, "pid")), int(await call(upstream, "child"))
        assert alive(pid)
        assert alive(child)
    async with asyncio.timeout(10):
        while alive(pid) or alive(child):
            await asyncio.sleep(0.01)


async def test_a_program_that_ended_is_started_again() -> None:
    async with running() as upstream:
        first = await call(upstream, "pid")
        with pytest.raises(Failure) as caught:
            await call(upstream, "die")
        assert caught.value.kind == "away"
        async with asyncio.timeout(20):
            while True:
                try:
                    second = await call(upstream, "pid")
                    break
                except Failure:
                    await asyncio.sleep(0.05)
        assert second != first


async def test_a_program_that_ends_at_once_is_not_started_in_a_loop(tmp_path: Path) -> None:
    counter = tmp_path / "starts"
    script = f"import sys; open({str(counter)!r}, 'a').write('x'); sys.exit(1)"
    made = SignedProgram(command=sys.executable, args=("-c", script))
    made = made.model_copy(update={"signature": sign("child", made, PEM)})
    gateway = trusting(FakeGateway("mcp"))
    upstream = open_upstream(ServerSpec("child", "stdio", program=made, trusted=True), gateway)
    for _ in range(20):
        with pytest.raises(Failure):
            await upstream.facts(caller())
    assert counter.read_text() == "x"
    gateway.clock.advance(0.6)
    for _ in range(5):
        with pytest.raises(Failure):
            await upstream.facts(caller())
    assert counter.read_text() == "xx"
    gateway.clock.advance(0.6)
    with pytest.raises(Failure):
        await upstream.facts(caller())
    assert counter.read_text() == "xx", "the second pause is longer"
    await upstream.close()
    await gateway.aclose()


async def test_a_program_that_is_not_there_is_an_error_that_names_the_server() -> None:
    made = SignedProgram(command="/no/such/program")
    made = made.model_copy(update={"signature": sign("child", made, PEM)})
    gateway = trusting(FakeGateway("mcp"))
    upstream = open_upstream(ServerSpec("child", "stdio", program=made, trusted=True), gateway)
    with pytest.raises(Failure, match="child cannot be started"):
        await upstream.facts(caller())
    await gateway.aclose()


async def test_a_line_that_is_too_long_ends_the_request() -> None:
    async with running(spec={"max_bytes": 1_000_000}) as upstream:
        with pytest.raises(Failure) as caught:
            await call(upstream, "huge")
        assert caught.value.kind == "too_large"


async def test_progress_goes_to_the_client_whose_request_it_is() -> None:
    async with running() as upstream:
        clients = [Client(), Client()]
        same = {"_meta": {"progressToken": "same"}}
        await asyncio.gather(*(call(upstream, "progress", client, **same) for client in clients))
        for client in clients:
            assert [params for _, params in client.told] == [
                {"progressToken": "same", "progress": 0},
                {"progressToken": "same", "progress": 1},
            ]


async def test_a_question_goes_to_the_only_caller_and_to_nobody_when_there_are_two() -> None:
    async def answer(method: str, params: object) -> dict[str, Any]:
        return {"action": "accept", "content": {"name": "Ada"}}

    async with running() as upstream:
        assert await call(upstream, "ask", Client(answer)) == "Ada"
        bob = Client(answer)
        later = asyncio.ensure_future(
            upstream.request(caller("bob"), "tools/call", {"name": "later", "arguments": {}}, bob)
        )
        await call(upstream, "pid")
        client = Client(answer)
        assert "which client" in await call(upstream, "ask", client)
        assert client.asked == bob.asked == []
        await call(upstream, "now")
        assert text_of(await later) == "at last"


async def test_a_caller_who_goes_away_is_told_to_the_server() -> None:
    async with running() as upstream:
        waiting = asyncio.ensure_future(call(upstream, "later"))
        await call(upstream, "pid")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        listed = await upstream.request(caller(), "tools/list", {}, Client())
        assert len(listed["cancelled"]) == 1


async def test_silence_is_given_up() -> None:
    async with running(spec={"timeout_seconds": 2.0}) as upstream:
        await call(upstream, "pid")
        with pytest.raises(Failure) as caught:
            await call(upstream, "later")
        assert caught.value.kind == "late"


async def test_what_it_complains_of_is_logged_without_its_secrets() -> None:
    async with running(env={"SERVER_TOKEN": Secret("s3cret-of-the-server")}) as upstream:
        with capture_logs() as logs:
            await call(upstream, "complain")
            async with asyncio.timeout(10):
                while not any("my token" in str(entry) for entry in logs):
                    await asyncio.sleep(0.01)
        lines = [entry["line"] for entry in logs if "line" in entry]
        assert lines == ["my token is ***"]
        assert {entry["log_level"] for entry in logs} == {"debug"}


async def test_changes_of_its_tools_are_heard() -> None:
    async with running() as upstream, asyncio.timeout(20):
        heard = upstream.listen(caller(), {"toolsListChanged": True})
        first = asyncio.ensure_future(anext(heard))
        while not first.done():
            await upstream.request(caller(), "tools/list", {}, Client())
            await asyncio.sleep(0.01)
        assert (await first)[0] == "notifications/tools/list_changed"
        await heard.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "change",
    [
        {"command": "/bin/sh"},
        {"args": (SERVER, "--evil")},
        {"cwd": "/tmp"},
        {"env": {"LD_PRELOAD": Secret("/tmp/evil.so")}},
        {"env": {"MODE": Secret("other"), "SERVER_TOKEN": Secret("a")}},
        {"env": {"SERVER_TOKEN": Secret("a")}},
        {"signature": ""},
        {"signature": "AAAA"},
        {"signature": base64.b64encode(b"\0" * 64).decode()},
    ],
)
def test_whatever_is_changed_after_signing_stops_the_start(change: dict[str, Any]) -> None:
    gateway = trusting(FakeGateway("mcp"))
    good = program(env={"MODE": Secret("calm"), "SERVER_TOKEN": Secret("a")})
    open_upstream(ServerSpec("child", "stdio", program=good, trusted=True), gateway)
    changed = SignedProgram(**{**good.model_dump(exclude={"env"}), "env": good.env, **change})
    with pytest.raises(ConfigError, match=r"mcp_servers\.child"):
        open_upstream(ServerSpec("child", "stdio", program=changed, trusted=True), gateway)
    with pytest.raises(ConfigError, match=r"mcp_servers\.other"):
        open_upstream(ServerSpec("other", "stdio", program=good, trusted=True), gateway)


def test_secrets_in_the_environment_may_be_rotated_without_signing_again() -> None:
    gateway = trusting(FakeGateway("mcp"))
    good = program(env={"SERVER_TOKEN": Secret("a")})
    rotated = good.model_copy(update={"env": {"SERVER_TOKEN": Secret("b")}})
    open_upstream(ServerSpec("child", "stdio", program=rotated, trusted=True), gateway)


@pytest.mark.parametrize("public", [b"\1" + b"\0" * 31, b"\0" * 32, b"short"])
def test_a_key_that_anybody_can_sign_for_is_not_trusted(public: bytes) -> None:
    gateway = trusting(FakeGateway("mcp"), public)
    with pytest.raises(ConfigError, match=r"operator\.pub is not a public key"):
        open_upstream(ServerSpec("child", "stdio", program=program(), trusted=True), gateway)


def test_without_a_trusted_key_nothing_is_started() -> None:
    gateway = FakeGateway("mcp")
    with pytest.raises(ConfigError, match="no key is trusted"):
        open_upstream(ServerSpec("child", "stdio", program=program(), trusted=True), gateway)


def test_a_row_that_the_operator_did_not_write_starts_nothing() -> None:
    gateway = trusting(FakeGateway("mcp"))
    with pytest.raises(ConfigError, match="signed rows of the YAML alone"):
        open_upstream(ServerSpec("child", "stdio", program=program(), trusted=False), gateway)
