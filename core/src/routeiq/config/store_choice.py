"""Which store the processes of a gateway share, read from a configuration. Nothing is opened or imported here.

Opening it is the business of `routeiq.state.open`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from routeiq.config.errors import problem_at
from routeiq.config.model import Config
from routeiq_sdk import Secret

EMBEDDED = "state.sqlite3"
"""The file of the embedded store, in the `data_dir`."""
_OURS = ("routeiq", "state", "url")
_REDIS = ("redis", "rediss", "valkey", "valkeys")
_KINDS = {
    "memory": "memory",
    "sqlite": "sqlite",
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "unix": "redis",
    **dict.fromkeys(_REDIS, "redis"),
    **{f"{scheme}+{mode}": "redis" for scheme in _REDIS for mode in ("sentinel", "cluster")},
}


@dataclass(frozen=True, slots=True)
class StoreChoice:
    """A store that is not opened yet: its kind (`memory`, `sqlite`, `postgresql`, `redis`), its address, and `why`, the
    key or the rule that chose it. It prints without secrets."""

    kind: str
    url: Secret
    why: str
    path: Path | None = None


def choose_store(config: Config, workers: int) -> StoreChoice:
    """The store of a configuration, by the first rule that names one: `routeiq.state.url`, LiteLLM's Redis keys,
    LiteLLM's database if it is PostgreSQL, memory for one worker, a file for several. Raises `ConfigError`."""
    url = config.routeiq.state.url
    if url is not None:
        return _named(config, url, workers)
    url = _litellm_redis(config)
    if url is not None:
        return StoreChoice("redis", url, "router_settings names Redis")
    url = config.general.extras.get("database_url")
    if isinstance(url, Secret) and _KINDS.get(_scheme(url)) == "postgresql":
        return StoreChoice("postgresql", url, "general_settings.database_url names PostgreSQL")
    if workers == 1:
        return StoreChoice("memory", Secret("memory://"), "one worker, and no key names a store")
    path = config.routeiq.data_dir / EMBEDDED
    return StoreChoice("sqlite", Secret(f"sqlite:///{path}"), f"{workers} workers, and no key names a store", path)


def _named(config: Config, url: Secret, workers: int) -> StoreChoice:
    scheme = _scheme(url)
    kind = _KINDS.get(scheme)
    place = config.positions.at(_OURS)
    if kind is None:
        raise problem_at(
            place,
            f"routeiq.state.url names no store that we know: {scheme if '://' in url.reveal() else 'it has no ://'}",
            "write memory://, sqlite:///path, postgresql://..., redis://..., redis+sentinel://... or "
            "redis+cluster://...",
        )
    if kind == "memory" and workers > 1:
        raise problem_at(
            place,
            f"routeiq.state.url is memory://, which {workers} workers cannot share",
            "remove it, which gives them a file to share, or run one worker",
        )
    path = None
    if kind == "sqlite":
        written = url.reveal().removeprefix(f"{scheme}://").removeprefix("/")
        if not written or written == ":memory:":
            raise problem_at(place, "routeiq.state.url names no file", "write sqlite:///path, or sqlite:////full/path")
        path = Path(written)
    return StoreChoice(kind, url, "routeiq.state.url names it", path)


def _scheme(url: Secret) -> str:
    return url.reveal().partition(":")[0].lower().strip()


def _litellm_redis(config: Config) -> Secret | None:
    """LiteLLM's `router_settings.redis_*` as one address."""
    keys = {name: value for name, value in config.router.extras.items() if name.startswith("redis_")}
    url = keys.get("redis_url")
    if isinstance(url, Secret) and url:
        return url
    if not keys.get("redis_host"):
        return None

    def text(name: str) -> str:
        value: Any = keys.get(name)
        return "" if value is None else value.reveal() if isinstance(value, Secret) else str(value)

    user = quote(text("redis_username"), safe="")
    password = quote(text("redis_password"), safe="")
    login = f"{user}:{password}@" if user or password else ""
    host = text("redis_host")
    host = f"[{host}]" if ":" in host else host
    scheme = "rediss" if text("redis_ssl").lower() == "true" else "redis"
    return Secret(f"{scheme}://{login}{host}:{text('redis_port') or 6379}/{text('redis_db') or 0}")
