"""References to a server that speaks Vault's key-value API: read at load, never shown, and a missing one names its
place."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from routeiq.config import Config, ConfigErrors, loads
from routeiq_sdk import Secret

TOKEN = "hvs.token-91c40d7e5b2f"
MASTER = "sk-from-vault-5f0e8d1c7b93a264"
UPSTREAM = "sk-upstream-from-vault-77aa01"


@dataclass
class FakeVault:
    """Answers as a Vault server does: version 2 of the key-value engine, mounted at `secret` and `team`."""

    origin: str = ""
    secrets: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    status: int | None = None
    body: bytes | None = None
    namespace: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def answer(self, path: str, token: str | None, namespace: str | None) -> tuple[int, Any]:
        self.asked.append(path)
        if self.status is not None:
            return self.status, {"errors": [f"told with {token}"]}
        if token != TOKEN or namespace != self.namespace:
            return 403, {"errors": ["permission denied", f"bad token {token}"]}
        known = path.removeprefix("/v1/")
        if known not in self.secrets:
            return 404, {"errors": []}
        fields = self.secrets[known]
        return (404 if fields is None else 200), {"data": {"data": fields, "metadata": {"version": 3}}}


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    fake = FakeVault(secrets={"secret/data/routeiq": {"master": MASTER, "number": 5, "empty": ""}})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = self.headers.get("X-Vault-Token"), self.headers.get("X-Vault-Namespace")
            status, value = fake.answer(self.path, *told)
            body = fake.body if fake.body is not None else json.dumps(value).encode()
            self.send_response(status)
            for name, text in (("Content-Length", str(len(body))), *fake.headers):
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.origin = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


def text(vault: FakeVault, master: str = "vault://secret/routeiq#master", **settings: Any) -> str:
    told = {"address": vault.origin, "token": "os.environ/VAULT_TOKEN", **settings}
    lines = "\n".join(f"      {name}: {json.dumps(value)}" for name, value in told.items())
    return f"general_settings:\n  master_key: {master}\nrouteiq:\n  secrets:\n    vault:\n{lines}\n"


def load(written: str, **env: str) -> Config:
    return loads(written, "routeiq.yaml", {"VAULT_TOKEN": TOKEN, **env})


def refused(written: str, **env: str) -> str:
    with pytest.raises(ConfigErrors) as caught:
        load(written, **env)
    return str(caught.value)


def test_a_secret_is_read_from_the_server(vault: FakeVault) -> None:
    config = load(text(vault))
    assert config.master_key.reveal() == MASTER
    assert vault.asked == ["/v1/secret/data/routeiq"]
    for secret in (MASTER, TOKEN):
        assert secret not in repr(config)
        assert secret not in str(config.written)


def test_any_secret_of_the_file_may_be_one_and_each_path_is_asked_once(vault: FakeVault) -> None:
    vault.secrets["team/data/providers/openai"] = {"key": UPSTREAM, "other": "sk-other-98127312"}
    rows = "model_list:\n" + "".join(
        f"  - model_name: {name}\n    litellm_params:\n      model: openai/x\n"
        f"      api_key: vault://team/providers/openai#{name}\n"
        for name in ("key", "other")
    )
    more = f"{rows}environment_variables:\n  SOME_API_KEY: vault://team/providers/openai#key\n"
    config = load(more + text(vault))
    assert [row.litellm_params.api_key for row in config.models] == [Secret(UPSTREAM), Secret("sk-other-98127312")]
    assert config.environment["SOME_API_KEY"] == UPSTREAM
    assert sorted(vault.asked) == ["/v1/secret/data/routeiq", "/v1/team/data/providers/openai"]
    assert "vault" not in config.revision


async def test_a_load_inside_a_running_loop_works_too(vault: FakeVault) -> None:
    assert load(text(vault)).master_key.reveal() == MASTER
    assert (await asyncio.to_thread(load, text(vault))).master_key.reveal() == MASTER


def test_a_reload_asks_again(vault: FakeVault) -> None:
    load(text(vault))
    vault.secrets["secret/data/routeiq"] = {"master": "sk-rotated-0c2f5b71d8a9e643"}
    assert load(text(vault)).master_key.reveal() == "sk-rotated-0c2f5b71d8a9e643"


def test_a_namespace_is_told(vault: FakeVault) -> None:
    vault.namespace = "org/team"
    assert load(text(vault, namespace="org/team")).master_key.reveal() == MASTER
    assert "may not read it" in refused(text(vault))


def test_the_token_may_come_from_a_file(vault: FakeVault, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    assert load(text(vault, token=f"file://{file}")).master_key.reveal() == MASTER


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("vault://secret/nothing#master", "there is no such secret"),
        ("vault://secret/routeiq#nothing", "no such field"),
        ("vault://secret/routeiq#number", "no text"),
        ("vault://secret/routeiq#empty", "empty"),
        ("vault://secret/routeiq", "a reference is"),
        ("vault://secret#master", "a reference is"),
        ("vault://secret/../routeiq#master", "a reference is"),
        ("vault://secret/./routeiq#master", "a reference is"),
        ("vault://secret/a%2fb#master", "a reference is"),
        ("vault://secret/routeiq?version=1#master", "a reference is"),
        ("vault://user@secret/routeiq#master", "a reference is"),
        ("vault://", "a reference is"),
    ],
)
def test_what_cannot_be_had_is_an_error_that_names_the_place(vault: FakeVault, reference: str, why: str) -> None:
    told = refused(text(vault, master=f'"{reference}"'))
    assert told.startswith("routeiq.yaml:2: general_settings.master_key: " + reference)
    assert why in told
    assert TOKEN not in told


@pytest.mark.parametrize(
    ("status", "why"),
    [(403, "may not read"), (500, "status 500"), (503, "sealed or down"), (302, "status 302"), (473, "standby")],
)
def test_a_server_that_does_not_serve_is_told_without_what_it_said(vault: FakeVault, status: int, why: str) -> None:
    vault.status = status
    vault.headers = (("Location", "http://127.0.0.1:1/elsewhere"),) if status == 302 else ()
    told = refused(text(vault))
    assert why in told
    assert TOKEN not in told
    assert len(vault.asked) == 1


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b'{"data": {"master": "v1"}}', b'{"data":{"data":"x"}}', b"[" * 99999]
)
def test_an_answer_of_another_kind_is_no_secret(vault: FakeVault, body: bytes) -> None:
    vault.body = body
    assert "key-value engine of version 2" in refused(text(vault))


def test_an_endless_answer_is_cut(vault: FakeVault) -> None:
    vault.body = b" " * (3 << 20)
    assert "cannot be reached" in refused(text(vault))


def test_a_compressed_answer_is_not_opened(vault: FakeVault) -> None:
    vault.headers = (("Content-Encoding", "gzip"),)
    assert "cannot be reached" in refused(text(vault))


def test_a_server_that_is_away_is_tried_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        vault = FakeVault(f"http://127.0.0.1:{taken.getsockname()[1]}")
        rows = "".join(
            f"  - model_name: m{n}\n    litellm_params: {{model: openai/x, api_key: 'vault://secret/p{n}#k'}}\n"
            for n in range(20)
        )
        told = refused("model_list:\n" + rows + text(vault))
    assert told.count("cannot be reached") == 21


def test_a_server_that_hangs_does_not_hold_up_a_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        vault = FakeVault(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "cannot be reached (TimeoutError)" in refused(text(vault, seconds=0.2))


def test_without_a_server_a_reference_says_what_to_configure() -> None:
    told = refused("general_settings: {master_key: 'vault://secret/routeiq#master'}\n")
    assert "routeiq.secrets.vault does not say where the server is" in told


def test_the_token_cannot_be_in_the_store(vault: FakeVault) -> None:
    told = refused(text(vault, token="vault://secret/routeiq#master"))
    assert "routeiq.secrets.vault.token: vault://secret/routeiq#master: the key to the store cannot be in" in told
    assert vault.asked == []


def test_a_missing_token_is_the_problem_that_is_told(vault: FakeVault) -> None:
    with pytest.raises(ConfigErrors, match="environment variable VAULT_TOKEN is not set"):
        loads(text(vault), "routeiq.yaml", {})
    assert vault.asked == []


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://vault.example:8200", "plain http"),
        ("ftp://vault.example", "is an origin"),
        ("https://user:pw@vault.example", "is an origin"),
        ("https://vault.example/v1", "without a path"),
        ("https://vault.example:x", "is an origin"),
        ("vault.example", "is an origin"),
    ],
)
def test_an_address_that_would_show_the_token_is_refused(address: str, why: str) -> None:
    told = refused(text(FakeVault(), address=address))
    assert why in told
    assert "pw" not in told


def test_the_clouds_metadata_are_no_vault() -> None:
    told = refused(text(FakeVault(), address="http://169.254.169.254", allow_http=True))
    assert "cannot be reached (EgressRefused)" in told


def test_outside_of_secrets_the_words_mean_nothing(vault: FakeVault) -> None:
    written = "model_list:\n  - model_name: vault://secret/routeiq#master\n    litellm_params: {model: openai/x}\n"
    assert load(written + text(vault)).models[0].model_name == "vault://secret/routeiq#master"
    assert len(vault.asked) == 1
