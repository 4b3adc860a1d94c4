"""Which store a configuration chooses, what is refused, and what opening one says when it cannot be had."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from routeiq.config import loads
from routeiq.config.errors import ConfigErrors
from routeiq.config.store_choice import StoreChoice, choose_store
from routeiq.state.clock import SystemClock
from routeiq.state.open import Stores, in_memory, open_stores
from routeiq_sdk import ConfigError, Secret, StoreUnavailable
from routeiq_sdk.values.health import Health
from routeiq_testkit.servers import PostgresServer

from .held_clock import HeldClock

KEY = "sk-open-6b1f0c9d27ae83fa"
DATABASE = "postgresql://litellm:hunter2secret@db.internal/litellm"


def chosen(workers: int = 1, env: dict[str, str] | None = None, **sections: Any) -> StoreChoice:
    general = {"master_key": KEY, **sections.pop("general_settings", {})}
    document = json.dumps({"general_settings": general, **sections}, indent=1)
    return choose_store(loads(document, "routeiq.yaml", env or {}), workers)


def ours(url: str) -> dict[str, Any]:
    return {"state": {"url": url}, "data_dir": "/data"}


def test_one_worker_keeps_its_state_in_memory_and_several_share_a_file() -> None:
    assert chosen().kind == "memory"
    several = chosen(2, routeiq={"data_dir": "/data"})
    assert (several.kind, several.path) == ("sqlite", Path("/data/state.sqlite3"))
    assert several.why == "2 workers, and no key names a store"


def test_the_first_rule_that_names_a_store_counts() -> None:
    redis = {"redis_url": "redis://cache:6379/3"}
    general = {"database_url": DATABASE}
    assert chosen(general_settings=general).kind == "postgresql"
    assert chosen(3, general_settings=general, router_settings=redis).url.reveal() == "redis://cache:6379/3"
    named = chosen(3, general_settings=general, router_settings=redis, routeiq=ours("sqlite:///a/b.sqlite3"))
    assert (named.kind, named.path, named.why) == ("sqlite", Path("a/b.sqlite3"), "routeiq.state.url names it")


def test_a_database_that_is_no_postgresql_keeps_no_state() -> None:
    assert chosen(general_settings={"database_url": "sqlite:///keys.db"}).kind == "memory"
    assert chosen(2, general_settings={"database_url": "mysql://db/keys"}).kind == "sqlite"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory://", "memory"),
        ("sqlite:////var/lib/routeiq/state.db", "sqlite"),
        ("postgres://db/routeiq", "postgresql"),
        ("postgresql://user:p%40ss@db:5432/routeiq?sslmode=require", "postgresql"),
        ("redis://cache", "redis"),
        ("rediss://cache", "redis"),
        ("valkey://cache", "redis"),
        ("unix:///run/valkey.sock", "redis"),
        ("redis+sentinel://a:26379,b:26379/primary", "redis"),
        ("redis+cluster://a:7000", "redis"),
    ],
)
def test_every_kind_of_address_is_known(url: str, kind: str) -> None:
    choice = chosen(routeiq=ours(url))
    assert (choice.kind, choice.url.reveal()) == (kind, url)


def test_a_full_path_of_a_file_has_four_slashes() -> None:
    assert chosen(routeiq=ours("sqlite:////var/lib/s.db")).path == Path("/var/lib/s.db")


def test_litellms_redis_keys_make_one_address() -> None:
    keys = {
        "redis_host": "os.environ/REDIS_HOST",
        "redis_port": 6380,
        "redis_username": "me",
        "redis_password": "os.environ/REDIS_PASSWORD",
        "redis_db": 2,
        "redis_ssl": True,
    }
    choice = chosen(env={"REDIS_HOST": "cache", "REDIS_PASSWORD": "p@ss/word"}, router_settings=keys)
    assert choice.url.reveal() == "rediss://me:p%40ss%2Fword@cache:6380/2"
    assert chosen(router_settings={"redis_host": "::1"}).url.reveal() == "redis://[::1]:6379/0"
    assert chosen(router_settings={"redis_port": 6379}).kind == "memory"


@pytest.mark.parametrize(
    ("workers", "url", "said"),
    [
        (2, "memory://", r"routeiq\.yaml:\d+: routeiq\.state\.url is memory://, which 2 workers cannot share"),
        (1, "mongodb://db", "names no store that we know: mongodb"),
        (1, "hunter2secret", "no store that we know: it has no "),
        (1, "sqlite://", "names no file"),
        (1, "sqlite:///:memory:", "names no file"),
    ],
)
def test_what_cannot_be_a_store_is_refused_with_its_place_and_mend(workers: int, url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        chosen(workers, routeiq=ours(url))
    assert "Mend:" in str(refused.value)
    assert "hunter2secret" not in str(refused.value)


def test_the_address_is_a_secret_and_its_reference_must_resolve() -> None:
    choice = chosen(env={"STORE": DATABASE}, routeiq=ours("os.environ/STORE"))
    assert choice.url.reveal() == DATABASE
    assert "hunter2secret" not in repr(choice)
    with pytest.raises(ConfigErrors, match="STORE is not set"):
        chosen(routeiq=ours("os.environ/STORE"))


async def test_a_store_that_is_away_stops_the_start_and_says_which_and_why_without_secrets() -> None:
    with pytest.raises(StoreUnavailable) as away:
        await open_stores(chosen(routeiq=ours("postgresql://me:hunter2secret@127.0.0.1:1/db")), SystemClock())
    assert "postgresql" in str(away.value)
    assert "routeiq.state.url names it" in str(away.value)
    assert "hunter2secret" not in str(away.value)


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [("sqlite:////nowhere/s.db", "sqlalchemy", "sql"), ("postgresql://db/x", "sqlalchemy", "postgres")],
)
async def test_a_missing_driver_is_told_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, url: str, package: str, extra: str
) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("routeiq.state.sql_open"):
            raise ModuleNotFoundError(f"No module named {package!r}", name=f"{package}.engine")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigError, match=rf'pip install "routeiq\[{extra}\]"'):
        await open_stores(chosen(routeiq=ours(url)), SystemClock())


async def test_a_store_in_memory_is_always_healthy() -> None:
    stores = in_memory(SystemClock())
    assert await stores.health() == Health()
    assert await stores.state.increment("a", 1) == 1
    await stores.aclose()


async def test_a_store_that_is_away_makes_the_gateway_degraded_and_is_looked_at_once_a_second() -> None:
    class Away:
        asked = 0
        state = meters = None
        down = True

        async def ping(self) -> None:
            self.asked += 1
            if self.down:
                raise StoreUnavailable("postgresql://me:hunter2secret@db")

        async def aclose(self) -> None:
            pass

    clock, away = HeldClock(), Away()
    stores = Stores("postgresql", "a test", clock, away)  # type: ignore[arg-type]
    for _ in range(3):
        assert await stores.health() == Health("degraded", "the postgresql store does not answer")
    assert away.asked == 1
    away.down = False
    clock.advance(1.5)
    assert await stores.health() == Health()
    assert away.asked == 2


async def test_postgresql_opens_by_the_address_that_litellm_writes(postgres: PostgresServer) -> None:
    url = (await postgres.database()).replace("postgresql://", "postgres://") + "?schema=public&connection_limit=5"
    choice = StoreChoice("postgresql", Secret(url), "a test")
    with pytest.raises(ConfigError, match="routeiq migrate"):
        await open_stores(choice, SystemClock())
