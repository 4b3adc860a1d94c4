"""The example from beginning to end: ask, kill the gateway, ask on, verify, forge, verify again.

How questions are asked is in `asking`, how an event is forged in `forging`.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TextIO

from live_demo.processes import Server, ServerFailed, serving

from audited.asking import Asked, AskingFailed, ask
from audited.forging import forge
from audited.screen import show
from audited.terminal import CommandFailed, Terminal
from audited.trail import FINISHED, STARTED, lines_of, objects, requests
from routeiq_testkit import Question, multiply

_CONFIG = Path(__file__).resolve().parent.parent / "routeiq.yaml"
_QUESTIONS = 30
_KILL_AFTER = 15
_SEED = 5


def run(folder: Path, *, as_json: bool) -> int:
    """Give the tour; the exit code."""
    out = sys.stderr if as_json else sys.stdout
    try:
        result = asyncio.run(_tour(folder, out))
    except (ServerFailed, CommandFailed, AskingFailed) as failure:
        print(f"audit: {failure}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(result, indent=2), flush=True)
    return 0


async def _tour(folder: Path, out: TextIO) -> dict[str, Any]:
    for name in ("data", "spool", "audit"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    trail = folder / "audit"
    master = "sk-" + secrets.token_urlsafe(32)
    async with serving(
        "models", *("-m", "routeiq_testkit.simulated", "--port", "0"), log=folder / "models.log"
    ) as models:
        environment = {
            "SIMULATED_MODELS": models.url,
            "ROUTEIQ_MASTER_KEY": master,
            "EXAMPLE_DATA": str(folder / "data"),
            "AUDIT_SPOOL": str(folder / "spool"),
            "AUDIT_TRAIL": str(trail),
        }
        terminal = Terminal(out, {"./audit": str(trail)}, environment)
        before, after = await _served(terminal, folder)
    answered = {*before.answered, *after.answered}
    terminal.say(f"All {len(answered)} questions are answered. The gateway is stopped; the trail is a folder.\n")
    return await _audited(terminal, trail, before, answered)


async def _served(terminal: Terminal, folder: Path) -> tuple[Asked, Asked]:
    """Ask one gateway until it is killed, and the next one the rest."""
    questions: Sequence[Question] = multiply(_QUESTIONS, _SEED)

    def gateway(log: str) -> AbstractAsyncContextManager[Server]:
        arguments = ("-m", "routeiq", "serve", "--config", _CONFIG, "--port", "0")
        return serving("gateway", *arguments, log=folder / log, environment=terminal.environment)

    async with gateway("gateway.log") as running:
        terminal.environment["ROUTEIQ_URL"] = running.url
        key = await terminal.run("keys", "create", "--alias", "alice")
        pid = running.process.pid

        def lives_on(count: int) -> bool:
            if count == _KILL_AFTER:
                os.killpg(pid, signal.SIGKILL)
            return count < _KILL_AFTER

        before = await ask(running.url, key, questions, lives_on)
        if len(before.answered) < _KILL_AFTER:
            raise AskingFailed(f"the gateway was gone before it was killed: see {running.log}")
        await running.process.wait()
    terminal.say(f"$ kill -9 {pid}")
    terminal.say(f"  after {len(before.answered)} answers, while {before.cut} more were under way\n")
    terminal.say("The gateway starts again, with the same folders, and is asked the rest.")
    async with gateway("gateway-again.log") as running:
        after = await ask(running.url, key, before.left, lambda count: True)
        if after.left:
            raise AskingFailed(f"{len(after.left)} questions have no answer: see {running.log}")
    return before, after


async def _audited(terminal: Terminal, trail: Path, before: Asked, answered: set[str]) -> dict[str, Any]:
    await terminal.run("audit", "verify", "./audit")
    report = await terminal.data("audit", "verify", "./audit")
    await terminal.run("audit", "tail", "./audit", "-n", "4", "--class", "admin")
    await terminal.run("audit", "tail", "./audit", "-n", "6")
    found = objects(trail)
    lines = [line for path in found for line in lines_of(path)]
    started, finished = requests(lines, STARTED), requests(lines, FINISHED)
    forged = forge(trail)
    terminal.say(f"Somebody unpacks {forged.object[:24]}..., edits event {forged.seq} and packs it again:")
    terminal.say(f"  model {forged.was} becomes {forged.now}\n")
    await terminal.run("audit", "verify", "./audit", code=1)
    again = await terminal.data("audit", "verify", "./audit", code=1)
    result = {
        "questions": _QUESTIONS,
        "answered": len(answered),
        "kill": {"answered_before": len(before.answered), "under_way": before.cut},
        "trail": {
            "events": report["events"],
            "objects": len(found),
            "answered_found": len(answered & started),
            "ends_found": len(answered & finished),
            "begun_only": len(started - answered - finished),
            "changes": [_change(line["event"]) for line in lines if line["class"] == "admin"],
        },
        "verified": {"ok": report["ok"], "first_bad": report["first_bad"], "code": 0},
        "forged": {"object": forged.object, "seq": forged.seq, "was": forged.was, "now": forged.now},
        "verified_again": {
            "ok": again["ok"],
            "first_bad": again["first_bad"],
            "problem": next(chain["problem"] for chain in again["chains"] if not chain["ok"]),
            "code": 1,
        },
    }
    show(result, terminal.out)
    return result


def _change(event: dict[str, Any]) -> str:
    return f"{event['action']} {event['phase']}"
