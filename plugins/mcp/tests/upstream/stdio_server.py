"""A stdio server for tests, run as a process of its own: `python stdio_server.py WAY`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


def say(message: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def text(told: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": told}]}


def call(id: Any, name: str, params: dict[str, Any], waiting: dict[Any, Any]) -> None:
    meta, arguments = params.get("_meta", {}), params.get("arguments", {})
    if name == "environment":
        say({"id": id, "result": text(json.dumps(dict(os.environ)))})
    elif name == "arguments":
        say({"id": id, "result": text(json.dumps([*sys.argv[1:], os.getcwd()]))})
    elif name == "pid":
        say({"id": id, "result": text(str(os.getpid()))})
    elif name == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        say({"id": id, "result": text(str(child.pid))})
    elif name == "die":
        os._exit(3)
    elif name == "huge":
        print("x" * 3_000_000, flush=True)
    elif name == "progress":
        for step in range(2):
            told = {"progressToken": meta["progressToken"], "progress": step}
            say({"method": "notifications/progress", "params": told})
        say({"id": id, "result": text("done")})
    elif name == "ask":
        waiting["q"] = id
        say({"id": "q", "method": "elicitation/create", "params": {"message": "who?"}})
    elif name == "complain":
        print(f"my token is {os.environ['SERVER_TOKEN']}", file=sys.stderr, flush=True)
        say({"id": id, "result": text("complained")})
    elif name == "meta":
        say({"id": id, "result": text(json.dumps(meta))})
    elif name == "later":
        waiting["later"] = id
    elif name == "echo":
        say({"id": id, "result": text(arguments["text"])})
    elif name == "now":
        say({"id": waiting.pop("later"), "result": text("at last")})
        say({"id": id, "result": text("ok")})


def main() -> None:
    modern = "modern" in sys.argv
    waiting: dict[Any, Any] = {}
    cancelled: list[Any] = []
    print("this server prints a banner")
    for line in sys.stdin:
        message = json.loads(line)
        id, method, params = message.get("id"), message.get("method"), message.get("params") or {}
        if method == "server/discover" and modern:
            result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "resultType": "complete"}
            say({"id": id, "result": result})
        elif method == "initialize" and not modern:
            result = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": "child", "version": "1"},
            }
            say({"id": id, "result": result})
        elif method == "tools/list":
            tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("environment", "pid")]
            say({"id": id, "result": {"tools": tools, "cancelled": cancelled}})
            say({"method": "notifications/tools/list_changed"})
        elif method == "tools/call":
            call(id, params["name"], params, waiting)
        elif method == "notifications/cancelled":
            cancelled.append(params["requestId"])
        elif method is None and "q" in waiting:
            answer = message.get("result", {}).get("content", {}).get("name") or str(message.get("error"))
            say({"id": waiting.pop("q"), "result": text(answer)})
        elif id is not None and method is not None:
            say({"id": id, "error": {"code": -32601, "message": "Method not found"}})


if __name__ == "__main__":
    main()
