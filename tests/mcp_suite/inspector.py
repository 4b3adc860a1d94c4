"""The official MCP inspector's command line: a real client of another make, in either era.

What it is pointed at is the tests' business.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .node import run, script

Era = Literal["legacy", "auto", "modern"]
STRICT, SKILL_FAILED, SKILL_UNCHECKED, SKILL_DYNAMIC = 6, 7, 8, 9


@dataclass(frozen=True)
class Inspected:
    """How the inspector ended, and the JSON that it printed: `rows`, one a line, as most methods print one."""

    code: int
    rows: tuple[Any, ...]
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        """The MCP result; a failure here shows what the inspector said."""
        assert self.code == 0, f"the inspector ended with {self.code}: {self.err or self.out}"
        assert self.rows, f"the inspector printed no JSON: {self.out or self.err}"
        printed: dict[str, Any] = self.rows[0]
        result: dict[str, Any] = printed.get("result", printed)
        return result


async def inspect(
    url: str,
    method: str,
    *,
    era: Era = "auto",
    transport: Literal["http", "sse"] = "http",
    headers: Mapping[str, str] | None = None,
    tool: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    uri: str | None = None,
    prompt: str | None = None,
    prompt_arguments: Mapping[str, str] | None = None,
    options: tuple[str, ...] = (),
    seconds: float = 60.0,
) -> Inspected:
    """Call one `method` of the server at `url`; `options` are more of the inspector's own, as `--strict`, `--verify`
    or `--load`. Nothing that it stores outlives the call."""
    command = ["--cli", url, "--transport", transport, "--method", method, "--protocol-era", era, "--format", "json"]
    for name, value in (headers or {}).items():
        command += ["--header", f"{name}: {value}"]
    if tool is not None:
        command += ["--tool-name", tool, "--tool-args-json", json.dumps(arguments or {})]
    if uri is not None:
        command += ["--uri", uri]
    if prompt is not None:
        command += ["--prompt-name", prompt]
    if prompt_arguments:
        command += ["--prompt-args", *(f"{name}={value}" for name, value in prompt_arguments.items())]
    program = await asyncio.to_thread(script, "@modelcontextprotocol/inspector", "clients/launcher/build/index.js")
    with tempfile.TemporaryDirectory(prefix="mcp-inspector-") as made:
        home = {"HOME": made, "MCP_CATALOG_PATH": str(Path(made) / "mcp.json")}
        done = await run(*program, *command, "--quiet", *options, seconds=seconds, extra=home)
    return Inspected(done.code, _rows(done.out), done.out, done.err)


def _rows(printed: str) -> tuple[Any, ...]:
    """The JSON values in `printed`, whatever stands between them."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (start := min((spot for mark in "{[" if (spot := printed.find(mark, at)) >= 0), default=-1)) >= 0:
        try:
            value, at = decoder.raw_decode(printed, start)
            found.append(value)
        except ValueError:
            at = start + 1
    return tuple(found)
