"""Policies in a plugin that is set up on a gateway in memory, and requests that ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from routeiq_policy_cedar.plugin import PolicyCedar
from routeiq_sdk import Context, Deployment, Price, Principal, Reject
from routeiq_sdk.testing import FakeGateway, call_hook, make_context, running

ANN = Principal("hash-of-ann", user="ann", team="blue", organization="acme", alias="ann's", tags=frozenset({"batch"}))


@asynccontextmanager
async def plugin_with(
    path: Any, text: str = "", *, gateway: FakeGateway | None = None, **config: Any
) -> AsyncIterator[tuple[PolicyCedar, FakeGateway]]:
    """The plugin with one file of policies (none for an empty text), set up."""
    files = []
    if text:
        file = path / "access.cedar"
        file.write_text(text, encoding="utf-8")
        files = [str(file)]
    made = PolicyCedar(PolicyCedar.Config.model_validate({"policies": files, **config}))
    gateway = gateway or FakeGateway("policy-cedar")
    async with running(made, gateway):
        yield made, gateway


async def call(plugin: PolicyCedar, principal: Principal = ANN, model: str = "small", **fields: Any) -> Reject | None:
    """What the policies say to a call of a model."""
    return await asked(plugin, context(principal, model, **fields))


async def asked(plugin: PolicyCedar, ctx: Context) -> Reject | None:
    """What `authorize` says to a context."""
    answer = await call_hook(plugin, "authorize", ctx)
    assert answer is None or isinstance(answer, Reject)
    return answer


def context(
    principal: Principal = ANN,
    model: str = "small",
    *,
    action: str = "chat:create",
    client: str | None = "10.1.2.3",
    **fields: Any,
) -> Context:
    """The context of a call of a model."""
    ctx = make_context(principal=principal, model=model, **fields)
    ctx.action = action
    ctx.client = client
    return ctx


async def route(
    plugin: PolicyCedar, action: str, path: str = "/key/generate", principal: Principal = ANN, client: str = "10.1.2.3"
) -> Reject | None:
    """What the policies say to a management route."""
    ctx = make_context(principal=principal, route=path)
    ctx.action = action
    ctx.client = client
    answer = await call_hook(plugin, "authorize_action", ctx, action)
    assert answer is None or isinstance(answer, Reject)
    return answer


def row(group: str, provider: str = "openai", region: str | None = None, dollars: int | None = None) -> Deployment:
    """A deployment; `dollars` a million tokens."""
    price = Price(dollars * 1000, dollars * 1000, 0, 0) if dollars is not None else None
    return Deployment(
        id=f"{group}-{provider}", group=group, provider=provider, model=group, wire="openai", region=region, price=price
    )
