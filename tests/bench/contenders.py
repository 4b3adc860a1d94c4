"""Who is measured: one row a contender, with the command that starts it in front of a given upstream.
How a contender is loaded or judged is not known here; a new contender is a new row."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from bench.provision import HERE, BenchSetupError, node_package, python_package, require, tool

MODEL = "bench-model"
LITELLM = "litellm[proxy]>=1.83.7,!=1.107.*"
# The Node server adapter is held at the version the gateway was built against; newer ones refuse to start.
PORTKEY: dict[str, object] = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    "overrides": {"@hono/node-server": "1.13.8"},
}


@dataclass(frozen=True)
class Place:
    """Where one contender runs: its port, the upstream's, its own folder, the cache, the client's key."""

    port: int
    upstream_port: int
    folder: Path
    cache: Path
    key: str

    @property
    def upstream(self) -> str:
        return f"http://127.0.0.1:{self.upstream_port}"

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)


@dataclass(frozen=True)
class Command:
    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def full_env(self) -> dict[str, str]:
        """A bare environment: no provider keys, proxies or settings of the shell reach a contender."""
        kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG", "TMPDIR") if name in os.environ}
        return {**kept, "NO_PROXY": "127.0.0.1", **self.env}


def no_provision(cache: Path) -> None:
    """Everything the contender needs is installed already."""


@dataclass(frozen=True)
class Contender:
    name: str
    summary: str
    command: Callable[[Place], Command]
    provision: Callable[[Path], object] = no_provision
    streams: bool = True
    optional: bool = False  # left out with one line when it cannot be provisioned


def select(patterns: str) -> list[Contender]:
    chosen = []
    for pattern in patterns.split(","):
        matching = [row for row in CONTENDERS if fnmatchcase(row.name, pattern.strip())]
        if not matching:
            known = ", ".join(row.name for row in CONTENDERS)
            raise BenchSetupError(f"no contender {pattern!r}; there are: {known}")
        chosen += [row for row in matching if row not in chosen]
    return chosen


def prepare(
    contenders: list[Contender], cache: Path, say: Callable[[str], None]
) -> tuple[list[Contender], dict[str, str]]:
    """Those that can run here, with what they need in place, and the optional ones left out with the reason."""
    ready, skipped = [], {}
    for contender in contenders:
        say(f"preparing {contender.name}")
        try:
            contender.provision(cache)
        except BenchSetupError as error:
            if not contender.optional:
                raise
            skipped[contender.name] = str(error)
        else:
            ready.append(contender)
    return ready, skipped


def _nginx(place: Place) -> Command:
    temporary = "".join(
        f"{kind}_temp_path {place.folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = f"""
daemon off; worker_processes 1; pid {place.folder}/nginx.pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_buffer_size 256k;
  {temporary}
  upstream mock {{ server 127.0.0.1:{place.upstream_port}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{place.port};
    location / {{
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""
    path = place.write("nginx.conf", config)
    return Command([tool("nginx"), "-e", "stderr", "-p", str(place.folder), "-c", path])


def _floor(app: str) -> Callable[[Place], Command]:
    def command(place: Place) -> Command:
        env = {"BENCH_UPSTREAM": place.upstream, "PYTHONPATH": str(HERE.parent)}
        return Command([sys.executable, "-m", "bench.apps.serve", app, str(place.port)], env)

    return command


def _model_list(place: Place, provider: str = "openai") -> dict[str, object]:
    params = {"model": f"{provider}/{MODEL}", "api_base": f"{place.upstream}/v1", "api_key": "sk-upstream"}
    return {
        "model_list": [{"model_name": MODEL, "litellm_params": params}],
        "general_settings": {"master_key": place.key},
    }


def _bearer(place: Place) -> dict[str, str]:
    return {"Authorization": f"Bearer {place.key}"}


def _litellm(place: Place) -> Command:
    settings = {"litellm_settings": {"num_retries": 0, "telemetry": False}}
    config = place.write("config.yaml", json.dumps({**_model_list(place), **settings}))  # JSON is YAML
    program = str(place.cache / "litellm" / "bin" / "litellm")
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
    listen = ["--host", "127.0.0.1", "--port", str(place.port), "--num_workers", "1"]
    return Command([program, "--config", config, *listen], env, _bearer(place))


def _portkey(place: Place) -> Command:
    program = place.cache / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
    env = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "localhost,127.0.0.1"}
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"{place.upstream}/v1",
        **_bearer(place),
    }
    return Command([tool("node"), str(program), f"--port={place.port}", "--headless"], env, headers)


def _routeiq(profile: str, engine: str, provider: str = "openai") -> Callable[[Place], Command]:
    def command(place: Place) -> Command:
        block = {
            "profile": profile,
            "data_dir": str(place.folder / "data"),
            "server": {"engine": engine, "workers": 1},
        }
        config = place.write("routeiq.yaml", json.dumps({**_model_list(place, provider), "routeiq": block}))
        listen = ["--host", "127.0.0.1", "--port", str(place.port)]
        return Command([sys.executable, "-m", "routeiq", "serve", "--config", config, *listen], {}, _bearer(place))

    return command


# Spoken by litellm alone, and in the mock's own wire.
LANE = "featherless_ai"

CONTENDERS = (
    Contender("nginx", "nginx reverse proxy: the physical limit", _nginx, lambda _: require("nginx")),
    Contender("hypercorn", "bare Hypercorn, no upstream: the server's floor", _floor("hello"), streams=False),
    Contender("relay", "Hypercorn and aiohttp, bytes through: a gateway's floor", _floor("relay")),
    Contender("litellm", "LiteLLM proxy, one worker", _litellm, lambda at: python_package(at, "litellm", LITELLM)),
    Contender("portkey", "Portkey gateway", _portkey, lambda at: node_package(at, "portkey", PORTKEY), optional=True),
    Contender("routeiq-minimal", "RouteIQ, zero plugins, Hypercorn", _routeiq("minimal", "hypercorn")),
    Contender("routeiq-standard", "RouteIQ, default plugins, Hypercorn", _routeiq("standard", "hypercorn")),
    Contender("routeiq-litellm-lane", "RouteIQ through litellm's translation", _routeiq("minimal", "hypercorn", LANE)),
    Contender("routeiq-minimal-uvicorn", "RouteIQ, zero plugins, uvicorn", _routeiq("minimal", "uvicorn")),
    Contender("routeiq-minimal-granian", "RouteIQ, zero plugins, granian", _routeiq("minimal", "granian")),
    Contender("routeiq-standard-uvicorn", "RouteIQ, default plugins, uvicorn", _routeiq("standard", "uvicorn")),
    Contender("routeiq-standard-granian", "RouteIQ, default plugins, granian", _routeiq("standard", "granian")),
)
