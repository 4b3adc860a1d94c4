"""V1: whatever stands where a key should, nobody is let in, nothing breaks, and SQL sees bound hashes alone."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator, Sequence

import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.pytest_plugin import Share
from routeiq_testkit.servers.postgres import PostgresServer

from .conftest import Govern, migrated, on_postgres
from .hostile_bearers import OWN_HEADER, PLACES, SLEEP_SECONDS, SPLITTING, http_permits, values
from .raw_http import Line, RawAnswer
from .sources import product_sources
from .tenants import client_of

BODY = b'{"model": "fast", "messages": [{"role": "user", "content": "hello"}]}'
ROUTES = (("POST", "/v1/chat/completions", BODY), ("GET", "/key/list", b""), ("GET", "/v1/models", b""))
_STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]*): (.*)", re.DOTALL)
_KEY_LOOKUP = re.compile(r"FROM routeiq_keys\s+WHERE routeiq_keys\.id = \$1")


@pytest.mark.timeout(600)
async def test_two_thousand_hostile_bearers_lead_nowhere(
    govern: Govern, postgres: PostgresServer, scripted_upstream: ScriptedUpstream, share: Share
) -> None:
    url = await migrated(postgres)
    logged = postgres.folder / "log"
    running = await govern(**on_postgres(url, litellm_key_header_name=OWN_HEADER))
    hostile, places = values(), list(PLACES)
    assert len(hostile) == 2000
    numbered = [each for each in enumerate(hostile) if share(each[0], 7)]
    begin = logged.stat().st_size
    wrong: list[tuple[str, str, int, bytes]] = []
    slow = 0

    async def attack(some: Sequence[tuple[int, str]]) -> None:
        nonlocal slow
        line = Line(running.url)
        for number, value in some:
            place = places[number % len(places)]  # the bench `bearers` sends each to all of them
            name, sent = PLACES[place](value.encode())
            answer = await asked(line, ROUTES[number % len(ROUTES)], name, sent)
            slow += answer.seconds >= SLEEP_SECONDS
            if answer.status not in ((401,) if http_permits(value) else (400, 401, 431, 501)):
                wrong.append((place, value[:60], answer.status, answer.body[:200]))
            if not http_permits(value):
                line.close()  # it may have been two requests, whose second answer nobody reads
        line.close()

    await asyncio.gather(*(attack(numbered[start::4]) for start in range(4)))
    assert wrong == []
    assert slow == 0, f"answers that took the {SLEEP_SECONDS} s that a payload asked the database to sleep"
    assert scripted_upstream.requests == []
    statements = list(logged_statements(logged.read_bytes()[begin:].decode(errors="replace")))
    lookups = [text for text, _ in statements if _KEY_LOOKUP.search(text)]
    assert len(lookups) > 0.6 * len(numbered), "most of them were looked up; the others cannot be keys"
    assert len({re.sub(r"\s+", " ", text) for text in lookups}) == 1, "one statement, whatever was sent"
    for text, parameters in statements:
        assert "sleep" not in text.lower()
        if _KEY_LOOKUP.search(text):
            assert re.fullmatch(r"\$1 = '[0-9a-f]{64}', \$2 = '1'", parameters), (text, parameters)
        assert not any(seed in text for seed in ("OR 1=1", "UNION", "DROP TABLE", "sk-", "pg_shadow")), text
    assert isinstance((await client_of(running).good("GET", "/key/list"))["keys"], list), "the table is still there"


async def asked(line: Line, route: tuple[str, str, bytes], name: bytes, sent: bytes) -> RawAnswer:
    """One request; a connection that the gateway closed without a word counts as refused before HTTP."""
    method, path, body = route
    try:
        return await line.ask(method, path, [(name, sent)], body)
    except (ConnectionError, asyncio.IncompleteReadError):
        return RawAnswer(400, b"", b"", 0.0)


@pytest.mark.parametrize("place", PLACES)
async def test_a_bearer_that_splits_the_head_lets_no_second_request_in(govern: Govern, place: str) -> None:
    running = await govern(general_settings={"litellm_key_header_name": OWN_HEADER})
    line = Line(running.url)
    for value in SPLITTING:
        name, sent = PLACES[place](value.encode())
        head = b"GET /key/list HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n%s: %s\r\n\r\n" % (name, sent)
        async with asyncio.timeout(5):
            statuses = await line.all_statuses(head)
        assert set(statuses) <= {400, 401, 501}, (value, statuses)  # 501: an unknown transfer-encoding


def logged_statements(log: str) -> Iterator[tuple[str, str]]:
    """Text and parameters of each statement of PostgreSQL's log. An entry begins with a time at the line's start."""
    entries = re.split(r"(?m)^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", log)
    for entry, following in zip(entries, [*entries[1:], ""], strict=True):
        found = _STATEMENT.search(entry)
        if found is not None:
            detail = re.search(r"DETAIL:  [Pp]arameters: (.*)", following, re.DOTALL)
            yield found.group(1).strip(), detail.group(1).strip() if detail is not None else ""


# The lint: no statement is put together from text.

_RUNS_SQL = frozenset({"text", "execute", "executemany", "executescript", "exec_driver_sql", "fetch", "fetchrow"})
_RUNS_SQL |= {"fetchval", "literal_column", "execute_batch"}
_SQL = re.compile(r"\b(select|insert|update|delete|create|alter|drop|pragma|listen|notify|begin|set)\b", re.IGNORECASE)


def built_statements(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each call that runs SQL which was put together: an f-string, `+`, `%`, `.format`, `.join`."""
    tree = ast.parse(source)
    constants = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assigned = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0]
        if isinstance(first, ast.Name):
            first = assigned.get(first.id, first)
        if name in _RUNS_SQL and _is_built(first, constants) and _SQL.search(ast.unparse(first)):
            yield node.lineno, ast.unparse(first)


def _is_built(node: ast.expr, constants: set[str]) -> bool:
    if isinstance(node, ast.JoinedStr):
        parts = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        return not all(isinstance(part, ast.Name) and (part.id in constants or part.id.isupper()) for part in parts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return not all(isinstance(each, ast.Constant) for each in (node.left, node.right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("format", "format_map", "join", "replace")
    return False


OF_ONE_CONSTANT = {
    ("core/src/routeiq/state/sql_sqlite.py", "f'PRAGMA {pragma}'"),
    ("plugins/governance/src/routeiq_governance/store/database.py", "f'PRAGMA {pragma}'"),
    ("plugins/oauth/src/routeiq_oauth/vault/database.py", "f'PRAGMA {pragma}'"),
}
"""SQLite takes no parameter in a PRAGMA; all go through a tuple of constants in the same module."""


def test_no_statement_is_put_together_from_text() -> None:
    found = {(name, text) for name, source in product_sources() for _, text in built_statements(source)}
    assert found == OF_ONE_CONSTANT, "bind parameters instead"


@pytest.mark.parametrize(
    "source",
    [
        "connection.execute(text(f\"SELECT * FROM keys WHERE id = '{key}'\"))",
        "connection.execute('SELECT * FROM keys WHERE id = ' + key)",
        "connection.execute('SELECT * FROM keys WHERE id = %s' % key)",
        "connection.execute('SELECT * FROM keys WHERE id = {}'.format(key))",
        "statement = f'DELETE FROM keys WHERE id = {key}'\nconnection.exec_driver_sql(statement)",
        "await link.fetch(f'SELECT {columns} FROM keys')",
        "text(' '.join(['SELECT', columns]))",
    ],
)
def test_the_lint_sees_statements_that_are_put_together(source: str) -> None:
    assert list(built_statements(source))


@pytest.mark.parametrize(
    "source",
    [
        "connection.execute(select(table).where(table.c.id == key))",
        "connection.execute(text('SELECT 1'))",
        "_LOCK = 5\nconnection.execute(text(f'SELECT pg_advisory_xact_lock({_LOCK})'))",
        "span.text(f'select {model}' if False else name)",
    ],
)
def test_the_lint_leaves_honest_statements_alone(source: str) -> None:
    assert list(built_statements(source)) == []
