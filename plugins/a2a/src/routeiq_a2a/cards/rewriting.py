"""A card as clients of the gateway see it: the agent's words, the gateway's addresses and its way to sign in.

Signing and serving it is told elsewhere.
"""

from __future__ import annotations

from urllib.parse import quote

from a2a.types import (
    AgentCard,
    AgentInterface,
    APIKeySecurityScheme,
    HTTPAuthSecurityScheme,
    SecurityRequirement,
    SecurityScheme,
    StringList,
)

from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.wire.versions import V0_3, V1_0
from routeiq_sdk.values.delegation import ProtectedResource

KEY_HEADER = "x-api-key"


def rewritten(
    agent: Agent, card: AgentCard, base: str, resource: ProtectedResource | None, grpc: str | None
) -> AgentCard:
    """The card to serve, unsigned. `base` is the gateway's own address, `grpc` that of its gRPC listener, if any."""
    served = AgentCard()
    served.CopyFrom(card)
    del served.signatures[:]
    del served.supported_interfaces[:]
    served.supported_interfaces.extend(interfaces(agent.name, base, grpc))
    if not agent.push:
        served.capabilities.push_notifications = False
    # The agent's own schemes are between it and the gateway.
    served.security_schemes.clear()
    del served.security_requirements[:]
    for skill in served.skills:
        del skill.security_requirements[:]
    bearer = HTTPAuthSecurityScheme(scheme="bearer", description="A key of the gateway.")
    scopes: list[str] = []
    if resource is not None:
        scopes = list(resource.scopes)
        metadata = f"{base}/.well-known/oauth-protected-resource{resource.path}"
        bearer.description = f"A key of the gateway, or an OAuth access token for the resource described at {metadata}."
    served.security_schemes["bearer"].CopyFrom(SecurityScheme(http_auth_security_scheme=bearer))
    served.security_schemes["apiKey"].CopyFrom(
        SecurityScheme(
            api_key_security_scheme=APIKeySecurityScheme(
                location="header", name=KEY_HEADER, description="A key of the gateway."
            )
        )
    )
    served.security_requirements.extend(
        [
            SecurityRequirement(schemes={"bearer": StringList(list=scopes)}),
            SecurityRequirement(schemes={"apiKey": StringList()}),
        ]
    )
    return served


def interfaces(name: str, base: str, grpc: str | None) -> list[AgentInterface]:
    """What the gateway serves for an agent: both bindings, both versions; and gRPC, where the tenant is the agent."""
    url = f"{base}/a2a/{quote(name)}"
    offered = [
        AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version=V1_0),
        AgentInterface(url=f"{url}/v1", protocol_binding="HTTP+JSON", protocol_version=V1_0),
        AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version=V0_3),
        AgentInterface(url=url, protocol_binding="HTTP+JSON", protocol_version=V0_3),
    ]
    if grpc is not None:
        offered.append(AgentInterface(url=grpc, protocol_binding="GRPC", protocol_version=V1_0, tenant=name))
    return offered
