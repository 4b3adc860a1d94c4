"""V3: text of clients is text: no template language is evaluated, in no field, on no route."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream

from .conftest import Govern
from .sources import product_sources
from .tenants import Answer, Client, client_of

PRODUCT = str(1337 * 7331)
"""What a payload gives when something evaluates it."""
_SUM = "1337*7331"
PAYLOADS = (
    "{{%s}}",
    "{{ %s }}",
    "{%% print(%s) %%}",
    "{%%25 print(%s) %%25}",
    "${%s}",
    "${{%s}}",
    "#{%s}",
    "*{%s}",
    "@(%s)",
    "@{%s}",
    "<%%= %s %%>",
    "<%% out.print(%s) %%>",
    "[[${%s}]]",
    "[=%s]",
    "{php}echo %s;{/php}",
    "{{= %s }}",
    "$(( %s ))",
    "`expr %s`",
    "#set($x=%s)$x",
    "{{constructor.constructor('return %s')()}}",
    "{{''.__class__.__mro__[1].__subclasses__()}}%s",
    "{{config}}{{self}}{{request}}%s",
    "{{cycler.__init__.__globals__.os.popen('id').read()}}%s",
    "{0.__class__.__init__.__globals__}%s",
    "{self.__dict__}{ctx}{key}%s",
    "%%(message)s%%(key)s%s",
    "$message ${key} %s",
    "{asctime}{record}%s",
    "${jndi:ldap://127.0.0.1:9/%s}",
    '{{#with "s" as |string|}}%s{{/with}}',
)
TEXTS = [payload % _SUM for payload in PAYLOADS]
EVALUATED = (PRODUCT, "<class 'str'>", "__globals__': ", "uid=0(", "SystemExit")


def literal(told: Any, answer: Answer) -> str | None:
    """What is wrong with an answer to something with `told` in it."""
    found = [mark for mark in EVALUATED if mark in answer.text]
    if found:
        return f"evaluated: {found}"
    return f"status {answer.status}" if answer.status >= 500 else None


def makers(text: str, number: int) -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """Requests that keep `text` in every field that takes some, and the route and query that show it again."""
    note = {"note": text, text: "as a name"}
    id = f"t{number}"
    yield (
        "/key/generate",
        "",
        {"key_alias": f"{text} {id}", "metadata": note, "tags": [text], "models": [text]},
        "/key/list",
    )
    yield "/team/new", f"/team/info?team_id={id}", {"team_id": id, "team_alias": text, "metadata": note}, ""
    yield "/user/new", f"/user/info?user_id={id}", {"user_id": id, "user_alias": text, "metadata": note}, ""
    yield (
        "/organization/new",
        f"/organization/info?organization_id={id}",
        {"organization_id": id, "organization_alias": text, "metadata": note},
        "",
    )
    yield "/customer/new", f"/customer/info?end_user_id={id}", {"user_id": id, "alias": text}, ""
    yield "/tag/new", "/tag/list", {"name": f"{text} {id}", "description": text}, ""
    yield "/budget/new", "/budget/list", {"budget_id": f"{text} {id}", "max_budget": 1}, ""
    yield "/routeiq/v1/roles", "/routeiq/v1/roles", {"name": f"{text} {id}", "actions": ["team:read"]}, ""
    yield (
        "/routeiq/v1/policies",
        "/routeiq/v1/policies",
        {"id": id, "scope": {"team": text}, "limit": 1, "unit": "usd", "window": "day"},
        "",
    )
    yield "/credentials", "/credentials", {"credential_name": id, "credential_values": {"api_version": text}}, ""
    yield (
        "/model/new",
        "/model/info",
        {"model_name": f"{text} {id}", "litellm_params": {"model": "openai/x", "api_key": text}, "model_info": note},
        "",
    )


async def test_what_is_kept_is_shown_as_it_was_written(govern: Govern) -> None:
    master = client_of(await govern())
    wrong, kept = [], 0
    for number, text in enumerate(TEXTS):
        for path, where, body, list_where in makers(text, number):
            made = await master.ask("POST", path, body)
            problem = literal(text, made)
            kept += made.status == 200
            shown = await master.ask("GET", where or list_where)
            problem = problem or literal(text, shown)
            if problem is None and made.status == 200 and where and "api_version" not in str(body):
                problem = None if text in json.dumps(shown.json, ensure_ascii=False).replace('\\"', '"') else "changed"
            if problem is not None:
                wrong.append((path, text, problem))
    assert not wrong, "\n".join(map(str, wrong))
    assert kept > 9 * len(TEXTS), "most of them were kept"


async def test_a_prompt_reaches_the_model_as_it_was_written_and_an_answer_its_client(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    running = await govern()
    key = await client_of(running).key_with()
    wrong = []
    for text in TEXTS:
        fields: dict[str, Any] = {
            "messages": [{"role": "system", "content": text}, {"role": "user", "content": text, "name": "n"}],
            "user": text,
            "metadata": {"tags": [text], "note": text},
            "stop": [text],
        }
        scripted_upstream.script(Reply.chat(text))
        answer = await key.chat(**fields)
        sent = scripted_upstream.requests[-1].json
        if answer.status != 200 or answer.json["choices"][0]["message"]["content"] != text:
            wrong.append((text, "answer", answer.text[:200]))
        if sent["messages"] != fields["messages"] or PRODUCT in json.dumps(sent):
            wrong.append((text, "request", sent))
    assert not wrong, wrong
    for answer in [
        await client_of(running).ask("GET", path)
        for path in ("/routeiq/v1/decisions", "/spend/logs", "/routeiq/v1/live")
    ]:
        assert literal("", answer) is None, answer


async def test_an_error_repeats_text_and_evaluates_none(govern: Govern) -> None:
    running = await govern()
    master = client_of(running)
    narrow = await master.key_with(models=["fast"])
    wrong = []
    for text in TEXTS:
        for client, method, path, body in (
            (master, "POST", "/v1/chat/completions", {"model": text, "messages": []}),
            (narrow, "POST", "/v1/chat/completions", {"model": text, "messages": []}),
            (master, "POST", "/v1/chat/completions", {"model": "fast", "messages": text}),
            (master, "POST", "/v1/messages", {"model": text, "messages": [], "max_tokens": 1}),
            (master, "POST", "/v1/embeddings", {"model": text, "input": text}),
            (master, "GET", "/v1/models/" + text.replace("/", "").replace("#", "%23").replace("?", ""), None),
            (master, "POST", "/team/update", {"team_id": text}),
            (master, "POST", "/key/update", {"key": text, text: text}),
            (Client(running, "sk-x"), "GET", "/key/list", None),
        ):
            answer = await client.ask(method, path, body)
            problem = literal(text, answer)
            if problem or answer.status < 400:
                wrong.append((path, text, problem, answer))
    assert not wrong, "\n".join(map(str, wrong))


# The ban: product code has no engine of templates, and formats no text by a text that it was given.

ENGINES = frozenset({"jinja2", "mako", "chevron", "pystache", "django", "tornado.template", "genshi", "Cheetah"})
OWN_TEMPLATES = {
    ("core/src/routeiq/plugins/scaffold.py", "Template"),  # files of ours, for `routeiq plugins new`
    ("core/src/routeiq/routes/llm.py", ".format"),  # forms of paths, constants of the module
    ("core/src/routeiq/telemetry/logs.py", ".format"),  # a formatter of log records is asked, no text is formatted
    ("plugins/guard-external/src/routeiq_guard_external/contracts/model.py", ".format"),  # a constant of the module
    (
        "plugins/oauth/src/routeiq_oauth/pages/html.py",
        ".format_map",
    ),  # pages of ours: constants, what goes in is escaped
    ("plugins/oidc/src/routeiq_oidc/login/routes.py", ".format"),  # a page of ours with escaped text in it
    ("plugins/prometheus/src/routeiq_prometheus/litellm_labels.py", ".format"),  # names of series, constants
}


def templates(source: str) -> Iterator[str]:
    """Each engine that is imported, and each way to format by a text that is no literal."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.partition(".")[0] in ENGINES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module.partition(".")[0] in ENGINES:
                yield node.module
            if node.module == "string":
                yield from (name.name for name in node.names if name.name in ("Template", "Formatter"))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = isinstance(node.func.value, ast.Constant) and isinstance(node.func.value.value, str)
            if node.func.attr == "format_map" or (node.func.attr == "format" and not given):
                yield f".{node.func.attr}"


def test_product_code_has_no_templates_but_its_own() -> None:
    found = {(name, way) for name, source in product_sources() for way in templates(source)}
    assert found == OWN_TEMPLATES


@pytest.mark.parametrize(
    "source",
    [
        "import jinja2",
        "from jinja2.sandbox import SandboxedEnvironment",
        "def f(text, user):\n    return text.format(user=user)",
        "def f(text, user):\n    return text.format_map(user)",
        "from string import Template",
        "from string import Formatter",
        "from mako.template import Template",
    ],
)
def test_the_ban_sees_templates(source: str) -> None:
    assert list(templates(source))


@pytest.mark.parametrize("source", ["f'{x}'", "'{}'.format(x)", "'%s' % x", "import string", "format(x, '.1f')"])
def test_the_ban_sees_nothing_else(source: str) -> None:
    assert list(templates(source)) == []
