"""The example from beginning to end: start everything, send the requests, show what was told of them and to whom.

The receivers are in `receiving`, the requests in `asking`.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TextIO

from live_demo.processes import Server, ServerFailed, serving

from observed.asking import REQUESTS, STREAMS, AskingFailed, ask, metrics
from observed.receiving import NothingCame, Received, receiving
from observed.spans import CLIENT, SERVER, tree_of

_CONFIG = Path(__file__).resolve().parent.parent / "routeiq.yaml"
_CALLS = REQUESTS + 1
"""One request needs two."""
_SHOWN_METRICS = (
    *("routeiq_requests_total", "routeiq_attempts_total", "routeiq_cost_usd_total"),
    *("routeiq_time_to_first_token_seconds_count", "litellm_deployment_successful_fallbacks_total"),
)
_SHOWN_FIELDS = (
    *("model_group", "model", "call_type", "stream", "status", "response_cost"),
    *("prompt_tokens", "completion_tokens", "trace_id"),
)


def run(folder: Path, *, as_json: bool) -> int:
    """Give the tour; the exit code."""
    out = sys.stderr if as_json else sys.stdout
    try:
        result = asyncio.run(_tour(folder, out))
    except (ServerFailed, AskingFailed, NothingCame) as failure:
        print(f"telemetry: {failure}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(result, indent=2), flush=True)
    return 0


async def _tour(folder: Path, out: TextIO) -> dict[str, Any]:
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    async with AsyncExitStack() as stack:
        received = await stack.enter_async_context(receiving())
        models = await stack.enter_async_context(
            serving("models", "-m", "routeiq_testkit.simulated", "--port", "0", log=folder / "models.log")
        )
        environment = {
            "SIMULATED_MODELS": models.url,
            "COLLECTOR_URL": received.url,
            "RECORDER_URL": received.hook,
            "ROUTEIQ_MASTER_KEY": "sk-" + secrets.token_urlsafe(32),
            "EXAMPLE_DATA": str(data),
        }
        gateway = await stack.enter_async_context(
            serving(
                "gateway",
                *("-m", "routeiq", "serve", "--config", _CONFIG, "--port", "0"),
                log=folder / "gateway.log",
                environment=environment,
            )
        )
        return await _told(gateway, environment, received, out)


async def _told(gateway: Server, environment: Mapping[str, str], received: Received, out: TextIO) -> dict[str, Any]:
    key = environment["ROUTEIQ_MASTER_KEY"]

    def say(text: str = "") -> None:
        print(text, file=out, flush=True)

    say(f"The gateway gets {REQUESTS} requests; {STREAMS} are streams, one is for a model that its provider retired.\n")
    failing = await ask(gateway.url, key)
    await received.until("spans", lambda: len(received.spans) >= REQUESTS + _CALLS)
    await received.until("webhooks", lambda: len(received.payloads) >= REQUESTS)
    await received.until("metrics", lambda: received.exports["metrics"] > 0)

    servers, clients = (sum(span.kind == kind for span in received.spans) for kind in (SERVER, CLIENT))
    tree = tree_of(received.spans, failing.trace)
    say("OpenTelemetry: what the collector got")
    say(f"  {servers} spans of requests and {clients} of calls to providers, in {received.exports['traces']} exports;")
    say(f"  {received.exports['metrics']} exports of metrics. The trace of the request that fell back:")
    for line in tree:
        say(f"    {line}")

    page = await metrics(gateway.url, key)
    shown = [line for line in page if line.startswith(_SHOWN_METRICS)]
    say(f"\nPrometheus: {len(shown)} of the {len(page)} lines of {gateway.url}/metrics")
    for line in shown:
        say(f"  {line}")

    payload = next(one for one in received.payloads if one["trace_id"] == failing.trace)
    fields = {name: payload.get(name) for name in _SHOWN_FIELDS}
    say(f"\nWebhooks: {len(received.payloads)} payloads in {received.posts} posts. Of the same request, some fields:")
    say("  " + json.dumps(fields, indent=2).replace("\n", "\n  "))

    frame = await _top(gateway.url, environment)
    say("\n$ routeiq top --once")
    say(frame)
    return {
        "requests": REQUESTS,
        "streams": STREAMS,
        "spans": {"requests": servers, "calls": clients, "failed": sum(span.failed for span in received.spans)},
        "exports": received.exports,
        "fallback": {"trace_id": failing.trace, "answered_by": failing.answered_by, "tree": tree},
        "metrics": shown,
        "webhooks": {
            "payloads": len(received.payloads),
            "streams": sum(bool(one["stream"]) for one in received.payloads),
            "fallback": fields,
        },
        "top": frame,
    }


async def _top(url: str, environment: Mapping[str, str]) -> str:
    """One frame of `routeiq top`. Raises `AskingFailed`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "routeiq", "top", "--once", "--url", url),
        env={"COLUMNS": "110", **os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    frame, err = await process.communicate()
    if process.returncode:
        raise AskingFailed(f"routeiq top: {err.decode().strip()}")
    return frame.decode().rstrip()
