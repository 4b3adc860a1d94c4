"""The official JavaScript client, unmodified, finds an agent at the gateway, checks its card and talks to it."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).resolve().parent
NODE = HERE.parents[2] / "tests" / "mcp_suite" / "node.py"


def load_node() -> ModuleType:
    """The module that installs npm packages once for all suites."""
    name = "a2a_tests_node"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, NODE)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.mark.timeout(400)  # the first run installs npm packages
@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
@pytest.mark.parametrize("version", ["1.0", "0.3"])
async def test_the_javascript_client_works_unmodified(run_agent, open_gateway, tmp_path, binding, version) -> None:
    node = load_node()
    agent = await run_agent(version=version)
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    (tmp_path / "node_modules").symlink_to(node.packages())
    script = shutil.copy(HERE / "a2a_client.mjs", tmp_path / "client.mjs")
    base = f"{gateway.url}/a2a/echo"
    done = await node.run(str(node.NODE), str(script), base, "person-ann", binding, seconds=60)
    assert done.code == 0, done.err
    told = json.loads(done.out.splitlines()[-1])
    assert told.pop("missing").endswith("TaskNotFoundError")
    assert told == {
        "sent": "echo: hello",
        "streamed": "one two three",
        "same": True,
        "done": True,
        "forged": "failed",
    }
