"""V4: nobody brings code along: not in a request, not in the YAML. Plugins are installed, nothing else."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from routeiq_sdk import ConfigError
from routeiq_testkit.pytest_plugin import StartGateway

from .conftest import Govern
from .sources import product_sources
from .tenants import client_of

CODE = "__import__('pathlib').Path({flag!r}).write_text('ran')"


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module `canary_code` that can be imported, on the path and in the current folder; the file appears by it."""
    flag = tmp_path / "ran"
    module = f"open({str(flag)!r}, 'w').close()\ndef handler(*a, **k):\n    return True\nclass Handler:\n    pass\n"
    (tmp_path / "canary_code.py").write_text(module, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield flag
    sys.modules.pop("canary_code", None)


NAMES = ("canary_code.handler", "canary_code.Handler", "canary_code:handler", "./canary_code.py", "canary_code")
PLACES: dict[str, Any] = {
    "callbacks": lambda name: {"litellm_settings": {"callbacks": name}},
    "a list of callbacks": lambda name: {"litellm_settings": {"callbacks": [name]}},
    "success callbacks": lambda name: {"litellm_settings": {"success_callback": [name]}},
    "failure callbacks": lambda name: {"litellm_settings": {"failure_callback": [name]}},
    "input callbacks": lambda name: {"litellm_settings": {"input_callback": [name]}},
    "a provider map": lambda name: {
        "litellm_settings": {"custom_provider_map": [{"provider": "mine", "custom_handler": name}]}
    },
    "custom auth": lambda name: {"general_settings": {"custom_auth": name}},
    "custom key generate": lambda name: {"general_settings": {"custom_key_generate": name}},
    "custom sso": lambda name: {"general_settings": {"custom_sso": name}},
    "custom ui sso": lambda name: {"general_settings": {"custom_ui_sso_sign_in_handler": name}},
    "post call rules": lambda name: {"litellm_settings": {"post_call_rules": name}},
    "pre call rules": lambda name: {"litellm_settings": {"pre_call_rules": name}},
    "a guardrail": lambda name: {
        "guardrails": [{"guardrail_name": "g", "litellm_params": {"guardrail": name, "mode": "pre_call"}}]
    },
    "a routing strategy": lambda name: {"router_settings": {"routing_strategy": name}},
    "a plugin": lambda name: {"routeiq": {"plugins": {name: {}}}},
    "an engine": lambda name: {"routeiq": {"server": {"engine": name}}},
    "a tokenizer": lambda name: {
        "model_list": [
            {
                "model_name": "m",
                "litellm_params": {"model": "openai/x", "api_key": "k"},
                "model_info": {"custom_tokenizer": {"identifier": name}},
            }
        ]
    },
    "a model": lambda name: {
        "model_list": [{"model_name": "m", "litellm_params": {"model": f"{name}/x", "api_key": "k"}}]
    },
}


@pytest.mark.parametrize("place", PLACES)
async def test_a_name_of_code_in_the_yaml_is_never_imported(gateway: StartGateway, canary: Path, place: str) -> None:
    for name in NAMES:
        try:
            running = await gateway({"model_list": [], **PLACES[place](name)})
        except ConfigError:
            pass  # it is told what to do instead
        else:
            async with running.session.get("/v1/models") as response:
                assert response.status == 200
        assert not canary.exists(), name
        assert "canary_code" not in sys.modules


async def test_custom_auth_and_callbacks_are_refused_with_what_to_do_instead(
    gateway: StartGateway, canary: Path
) -> None:
    for place in ("custom auth", "a guardrail"):
        with pytest.raises(ConfigError) as caught:
            await gateway({"model_list": [], **PLACES[place]("canary_code.handler")})
        assert "plugin" in str(caught.value), place
    assert not canary.exists()


CODE_ROUTES = (
    "/guardrails", "/guardrails/test_custom_code", "/prompts",
    "/prompts/test", "/config/update", "/config/callback/add", "/config/pass_through_endpoint", "/callbacks/register",
    "/mcp-rest/test/connection", "/mcp-rest/test/tools/list", "/v1/mcp/server", "/policy/test",
    "/utils/transform_request",
    "/health/services", "/cache/settings", "/search_tools", "/routeiq/v1/plugins", "/routeiq/v1/eval",
)  # fmt: skip


async def test_no_route_takes_code(govern: Govern, canary: Path) -> None:
    running = await govern()
    master = client_of(running)
    code = CODE.format(flag=str(canary))
    body = {
        "code": code,
        "custom_code": code,
        "command": "touch",
        "args": [str(canary)],
        "callback": "canary_code.handler",
    }
    for path in CODE_ROUTES:
        for method in ("POST", "PUT", "PATCH"):
            answer = await master.ask(method, path, body)
            assert answer.status in (404, 405), (method, path, answer)
    wrong = []
    for route in running.runtime.table.routes:
        if route.method == "GET" or route.path.endswith("/reload"):
            continue
        for value in (code, "canary_code.handler", {"code": code}, [code]):
            path = route.path.replace("{model:path}", "fast").replace("{", "").replace("}", "")
            for name in (
                "callback_name",
                "custom_llm_provider",
                "model",
                "metadata",
                "litellm_params",
                "handler",
                "code",
            ):
                answer = await master.ask(route.method, path, {name: value})
                if answer.status >= 500 and answer.status != 503:
                    wrong.append((route.method, path, name, value, answer))
    assert not wrong, wrong
    assert not canary.exists()
    assert "canary_code" not in sys.modules


# The ban: product code evaluates no text, and imports by name only what is written beside the call.

RUNNERS = frozenset({"eval", "exec", "compile", "__import__"})
BY_NAME = frozenset(
    {"import_module", "load_module", "exec_module", "spec_from_file_location", "run_path", "run_module"}
)
DYNAMIC = {
    "core/src/routeiq/server/settings.py": "the factory of the application, named by our own supervisor",
    "core/src/routeiq/cli/main.py": "commands, by the names in the table above the call",
    "plugins/routing-ml/src/routeiq_routing_ml/artifact/convert_child.py": "names on a list, in a child without rights",
}
"""Where a module is imported by a name that is no literal, and why."""


def run_text(source: str) -> Iterator[tuple[str, bool]]:
    """Each way to run text or to import by name, and whether what it is given is a literal."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in RUNNERS | BY_NAME:
            name = node.func.id
        elif (isinstance(node.func, ast.Attribute) and node.func.attr in BY_NAME) or (
            isinstance(node.func, ast.Attribute) and node.func.attr in RUNNERS and _is_builtins(node.func.value)
        ):
            name = node.func.attr
        else:
            continue
        yield name, bool(node.args) and isinstance(node.args[0], ast.Constant)


def _is_builtins(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("builtins", "__builtins__")


def test_product_code_runs_no_text() -> None:
    runs = [(name, way) for name, source in product_sources() for way, _ in run_text(source) if way in RUNNERS]
    assert runs == []


def test_product_code_imports_by_name_only_where_it_is_explained() -> None:
    found = [(name, *each) for name, source in product_sources() for each in run_text(source)]
    dynamic = {name for name, way, fixed in found if way in BY_NAME and not fixed}
    assert dynamic == set(DYNAMIC)


@pytest.mark.parametrize(
    "source",
    ["eval(x)", "exec(code, {})", "compile(t, 'f', 'exec')", "__import__(n)", "builtins.exec(t)", "import_module(n)",
     "importlib.import_module(n)", "runpy.run_path(p)", "importlib.util.spec_from_file_location('m', p)"],
)  # fmt: skip
def test_the_ban_sees_each_way(source: str) -> None:
    assert [fixed for _, fixed in run_text(source)] in ([False], [True])


@pytest.mark.parametrize("source", ["re.compile(x)", "EgressPolicy.compile((), ())", "model.eval()", "point.load()"])
def test_the_ban_sees_nothing_else(source: str) -> None:
    assert list(run_text(source)) == []
