"""Routers trained on questions of three kinds, each model good at one of them, and a gateway to serve them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from routeiq_routing_ml.artifact.keys import generate, signing_key
from routeiq_routing_ml.artifact.writer import write
from routeiq_routing_ml.model.packing import Packed, pack
from routeiq_routing_ml.training.trainer import Settings, Trained, train
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .gateway_cases import MODELS, embed, table


@dataclass(frozen=True)
class Keys:
    """A folder with a signing key, and its public half, which gateways are told to trust."""

    folder: Path

    @property
    def public(self) -> str:
        return str(next(self.folder.glob("*.pub")))


@pytest.fixture(scope="session")
def trained() -> Trained:
    return train(table(), Settings("knn"))


@pytest.fixture(scope="session")
def reversed_trained() -> Trained:
    """Of data in which the models' talents are dealt the other way."""
    return train(table(best={"chat": "sage", "code": "chatty", "math": "coder"}), Settings("ridge"))


@pytest.fixture(scope="session")
def embedded_trained() -> Trained:
    data = table()
    return train(data, Settings("knn"), embed(list(data.texts)))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    folder = tmp_path / "keys"
    generate(folder)
    return Keys(folder)


Publish = Callable[..., Path]


@pytest.fixture
def publish(tmp_path: Path, keys: Keys) -> Publish:
    """Write an artifact of a trained router; by another key when `stranger`."""

    def made(
        trained: Trained, name: str = "router", *, stranger: bool = False, embedder: str | None = None, **extra: Any
    ) -> Path:
        plain = extra.pop("plain", trained)
        fingerprint = "fixture-1" if embedder is not None else None
        packed = Packed(trained.router, plain.router, embedder, fingerprint, trained.settings.policy, trained.weights)
        manifest, arrays = pack(packed, strategy=trained.settings.strategy, trainer="test 1", metrics={})
        key = signing_key(tmp_path / "stranger" if stranger else keys.folder)
        write(tmp_path / name, manifest, arrays, key)
        return tmp_path / name

    return made


Serve = Callable[..., Any]


@pytest.fixture
def serve(gateway: StartGateway, scripted_upstream: ScriptedUpstream, keys: Keys) -> Serve:
    """Start a gateway with the three models behind `auto`; keywords are the plugin's configuration."""

    async def start(
        *, plugins: Mapping[str, Any] | None = None, virtual: Mapping[str, Any] | None = None, **own: Any
    ) -> TestGateway:
        rows = [openai_row(name, scripted_upstream.base_url, name) for name in MODELS]
        block = {
            "virtual_models": {"auto": {"models": list(MODELS), "default_model": "chatty", **(virtual or {})}},
            "plugins": {"routing-ml": {"trusted_keys": [keys.public], **own}, **(plugins or {})},
        }
        return await gateway({"model_list": rows, "router_settings": {"num_retries": 0}, "routeiq": block})

    return start
