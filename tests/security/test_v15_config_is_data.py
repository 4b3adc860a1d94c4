"""V15: a name in the configuration or in a request is a name: no file is read or written by it, no module is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from routeiq_testkit import ScriptedUpstream

from .conftest import Govern
from .raw_http import Line
from .tenants import client_of

SECRET = "content-of-a-file-9d2f"
_FILE = "secret.txt"
CLIMBS = (
    "../{file}", "..%2f{file}", "..%252f{file}", "%2e%2e/{file}", "%2e%2e%2f{file}", "....//{file}", "..\\{file}",
    "..%5c{file}", "..%c0%af{file}", "..%ef%bc%8f{file}", "..;/{file}", "./../{file}", "a/../../{file}",
    "{file}%00.json",
    "..%00/{file}", "file://{root}/{file}", "file:{root}/{file}", "{root}/{file}", "//{root}/{file}", "~/{file}",
    "/proc/self/environ", "/proc/self/cwd/{file}", "../../../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/etc/passwd", "\\\\127.0.0.1\\share\\{file}", "os.environ/PATH", "os.environ/HOME", "file/{root}/{file}",
)  # fmt: skip
READ = (SECRET, "root:x:0:", "/usr/bin:")


def climbs(folder: Path, file: str = _FILE) -> list[str]:
    """Each way up, to the file, and further up to it."""
    found = [climb.format(file=file, root=str(folder)) for climb in CLIMBS]
    return found + [f"{'../' * depth}{folder.name}/{file}" for depth in (2, 5)]


def tree(folder: Path) -> dict[str, int]:
    """What lies there, without what the gateway keeps in its own data folder."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and "/data/" not in str(path)
    }


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder above the gateway's, with a file in it, which is also the current folder."""
    (tmp_path / _FILE).write_text(SECRET, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


async def test_no_path_leads_out_of_the_route_table(govern: Govern, home: Path) -> None:
    running = await govern(plugins={"policy-cedar": {}, "prometheus": {}})
    before = tree(home)
    line = Line(running.url)
    headers = [(b"authorization", b"Bearer " + running.key.encode())]
    bases = {"/", "/health/", "/v1/models/", "/sso/", "/scim/", "/static/", "/ui/", "/docs/", "/.well-known/"}
    for route in running.runtime.table.routes:
        if route.method == "GET":
            bases.add(route.path.partition("{")[0].rstrip("/") + "/")
    wrong, tried = [], 0
    for base in sorted(bases):
        for climb in climbs(home):
            target = base + climb.replace(" ", "%20").replace("\\", "%5C")
            answer = await line.ask("GET", target, headers)
            tried += 1
            text = answer.body.decode(errors="replace")
            if answer.status >= 500 or any(mark in text for mark in READ):
                wrong.append((target, answer.status, text[:200]))
    line.close()
    assert not wrong, "\n".join(map(str, wrong))
    assert tried > 500
    assert tree(home) == before


FIELDS: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/model/new", lambda v, n: {"model_name": f"m{n}", "litellm_params": {"model": "openai/x", "api_key": v}}),
    (
        "POST",
        "/model/new",
        lambda v, n: {"model_name": f"n{n}", "litellm_params": {"model": f"openai/{v}", "api_key": "k"}},
    ),
    (
        "POST",
        "/model/new",
        lambda v, n: {"model_name": f"o{n}", "litellm_params": {"model": "vertex_ai/x", "vertex_credentials": v}},
    ),
    (
        "POST",
        "/model/new",
        lambda v, n: {"model_name": f"p{n}", "litellm_params": {"model": "openai/x", "api_base": v, "api_key": "k"}},
    ),
    ("POST", "/credentials", lambda v, n: {"credential_name": f"c{n}", "credential_values": {"api_key": v}}),
    ("POST", "/credentials", lambda v, n: {"credential_name": f"d{n} {v}", "credential_values": {"api_key": "k"}}),
    ("POST", "/team/blue/callback", lambda v, n: {"callback_name": v, "callback_vars": {"langfuse_host": v}}),
    (
        "POST",
        "/team/blue/callback",
        lambda v, n: {"callback_name": "langfuse", "callback_vars": {"langfuse_secret_key": v}},
    ),
    (
        "POST",
        "/key/generate",
        lambda v, n: {"key_alias": f"{v} {n}", "metadata": {"file": v, "logging": [v]}, "guardrails": [v]},
    ),
    ("POST", "/team/new", lambda v, n: {"team_id": f"{v} {n}", "metadata": {"path": v}, "prompts": [v]}),
    ("POST", "/routeiq/v1/cedar/policies", lambda v, n: {"id": v, "policy": v, "file": v, "path": v}),
    ("POST", "/routeiq/v1/cedar/validate", lambda v, n: {"policy": v, "file": v}),
    ("POST", "/config/update", lambda v, n: {"include": [v], "environment_variables": {"A": v}}),
    ("POST", "/routeiq/v1/reload", lambda v, n: {"config": v, "path": v, "file": v}),
    ("POST", "/v1/chat/completions", lambda v, n: {"model": v, "messages": []}),
    (
        "POST",
        "/v1/chat/completions",
        lambda v, n: {
            "model": "fast",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": v}},
                        {"type": "file", "file": {"file_id": v, "filename": v}},
                    ],
                }
            ],
        },
    ),
    (
        "POST",
        "/v1/chat/completions",
        lambda v, n: {
            "model": "fast",
            "messages": [{"role": "user", "content": "x"}],
            "prompt_id": v,
            "metadata": {"file": v},
        },
    ),
    ("POST", "/v1/embeddings", lambda v, n: {"model": "fast", "input": v, "tokenizer": v}),
)


@pytest.mark.timeout(300)
async def test_no_field_names_a_file_of_the_gateway(
    govern: Govern, home: Path, scripted_upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    running = await govern(plugins={"policy-cedar": {}})
    master = client_of(running)
    await master.good("POST", "/team/new", {"team_id": "blue"})
    before = tree(home)
    wrong, number = [], 0
    for value in [*climbs(home), "os.environ/OPENAI_API_KEY", "oidc/file/" + str(home / _FILE)]:
        for method, path, body in FIELDS:
            number += 1
            answer = await master.ask(method, path, body(value, number))
            if (answer.status >= 500 and answer.status != 503) or any(mark in answer.text for mark in READ):
                wrong.append((path, value, answer))
        made = [row["model_name"] for row in (await master.good("GET", "/model/info"))["data"]]
        for name in [name for name in made if name[1:].isdigit() and int(name[1:]) > number - len(FIELDS)]:
            answer = await master.chat(model=name)
            if any(mark in answer.text for mark in READ):
                wrong.append((name, value, answer))
    for path in ("/model/info", "/credentials", "/key/list", "/team/list", "/routeiq/v1/status"):
        answer = await master.ask("GET", path)
        if any(mark in answer.text for mark in READ):
            wrong.append((path, "", answer))
    assert not wrong, "\n".join(map(str, wrong))
    for request in scripted_upstream.requests:
        sent = request.body.decode(errors="replace") + str(request.headers)
        assert not any(mark in sent for mark in READ), sent
    assert tree(home) == before
    assert running.path.exists()


async def test_the_api_changes_no_line_of_the_configuration(govern: Govern, home: Path) -> None:
    running = await govern()
    master = client_of(running)
    text = running.path.read_bytes()
    body = {"general_settings": {"master_key": "sk-mine"}, "litellm_settings": {"callbacks": ["x.y"]}}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in (
            "/config/update",
            "/config/field/update",
            "/config/yaml",
            "/config",
            "/update/config",
            "/reload/config",
        ):
            assert (await master.ask(method, path, body)).status in (404, 405), path
    answer = await master.ask("POST", "/routeiq/v1/reload", body)
    assert answer.status == 200
    assert running.path.read_bytes() == text
    assert (await master.ask("GET", "/routeiq/v1/status")).status == 200, "the master key is the one it was"
