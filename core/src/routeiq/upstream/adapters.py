"""The adapters of one runtime: native wires over HTTP, mock answers, and litellm where a deployment needs it.

How a wire is spoken is each codec's business.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from routeiq.catalog.providers import FOREIGN, NATIVE
from routeiq.egress import Egress
from routeiq.upstream import litellm_request
from routeiq.upstream.anthropic import AnthropicCodec
from routeiq.upstream.base import Adapter, Codec
from routeiq.upstream.exchange import HttpAdapter, Target
from routeiq.upstream.foreign import WIRES, ForeignAdapter
from routeiq.upstream.mock import MockAdapter
from routeiq.upstream.openai import OpenAICodec
from routeiq_sdk import ConfigError, Deployment
from routeiq_sdk.gateway import ModelAdapter

_CODECS: tuple[Codec, ...] = (OpenAICodec(), AnthropicCodec())
NO_ADAPTERS: Mapping[str, ModelAdapter] = {}
_MOCK_WIRES = frozenset({"openai-chat", "openai-completion", "anthropic-messages"})


class Adapters:
    """By wire. litellm is imported only when a deployment needs it."""

    def __init__(
        self,
        deployments: Sequence[Deployment],
        egress: Egress,
        untrusted: Collection[str] = frozenset(),
        foreign: Mapping[str, ModelAdapter] = NO_ADAPTERS,
    ) -> None:
        """`untrusted` are the ids of the deployments whose addresses the operator did not write, `foreign` the adapters
        of plugins by provider."""
        self._codecs = {codec.wire: codec for codec in _CODECS}
        self.by_wire: dict[str, Adapter] = {"mock": MockAdapter()}
        for provider, adapter in foreign.items():
            self.by_wire[FOREIGN + provider] = ForeignAdapter(adapter)
        for codec in _CODECS:
            mine = {d.id: target_of(d, untrusted=d.id in untrusted) for d in deployments if d.wire == codec.wire}
            if mine:
                self.by_wire[codec.wire] = HttpAdapter(codec, egress, mine)
        self._litellm = None
        self._failure = ""
        if any(d.wire == "litellm" for d in deployments):
            from routeiq.upstream.litellm import LitellmAdapter

            self._litellm = self.by_wire["litellm"] = LitellmAdapter(egress, untrusted)

    def accepts(self, deployment: Deployment, client_wire: str) -> bool:
        """Whether a deployment can serve a client of this wire."""
        codec = self._codecs.get(deployment.wire)
        if codec is not None:
            return codec.accepts(client_wire)
        if deployment.wire.startswith(FOREIGN):
            return client_wire in WIRES
        return client_wire in (litellm_request.WIRES if deployment.wire == "litellm" else _MOCK_WIRES)

    def loading(self) -> tuple[str, ...]:
        """What is not ready to be called yet."""
        if self._litellm is None or self._litellm.loaded:
            return ()
        return (self._failure or "litellm is loading",)

    async def load(self) -> None:
        """Import what is needed. The port is open meanwhile, readiness is false."""
        if self._litellm is not None:
            try:
                await self._litellm.load()
            except ConfigError as error:
                self._failure = f"litellm cannot be loaded: {error}"
                raise

    async def close(self) -> None:
        """Let go of everything."""
        for adapter in self.by_wire.values():
            await adapter.close()


def api_base(deployment: Deployment) -> str:
    """Where a deployment is called, as the `x-litellm-model-api-base` header shows it: without a query."""
    return (deployment.api_base or "").partition("?")[0]


def target_of(deployment: Deployment, *, untrusted: bool = False) -> Target:
    """Address and key headers of a native deployment. Raises `ConfigError` when the address is missing."""
    if deployment.api_base is None:
        raise ConfigError(
            f"model_list: {deployment.group!r} ({deployment.provider}/{deployment.model}) has no address",
            mend=f"add litellm_params.api_base, the base URL of your {deployment.provider} server",
        )
    base = deployment.api_base
    if deployment.wire == "anthropic":
        base = base.removesuffix("/v1/messages").removesuffix("/v1")
    return Target(base, _key_headers(deployment), untrusted=untrusted)


def _key_headers(deployment: Deployment) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    organization = deployment.info.get("organization")
    if organization:
        headers["openai-organization"] = str(organization)
    if deployment.api_key is None:
        return headers
    key = deployment.api_key.reveal()
    auth = NATIVE[deployment.provider].auth
    if auth == "bearer" or key.startswith("sk-ant-oat"):
        headers["authorization"] = f"Bearer {key}"
    else:
        headers[auth] = key
    return headers
