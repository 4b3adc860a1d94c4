"""Every protection of the gateway: how it is switched off, at exactly one place, and the attack that must then succeed.

A new protection is one more `Protection` in a list.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any, cast

from routeiq.config import master_key
from routeiq.config.classify import Report
from routeiq.egress.policy import EgressPolicy
from routeiq.limits import reading
from routeiq.limits.in_flight import InFlight
from routeiq.plugins import policy as plugin_policy
from routeiq.request import pipeline, understanding
from routeiq.request.auth import MasterKey
from routeiq.request.delivery import Delivery
from routeiq.server import guards as head_guards
from routeiq.server.hosts import Hosts
from routeiq.server.origins import Origins
from routeiq.wires import depth
from routeiq_governance.access.calls import Calls
from routeiq_governance.access.gate import Access
from routeiq_governance.access.granting import Granting
from routeiq_governance.access.questions import Questions
from routeiq_governance.access.routes import RouteScope
from routeiq_governance.access.rules import Rules
from routeiq_governance.identity import refusals
from routeiq_governance.quotas.gate import Quotas
from routeiq_oidc.tokens.jwk import Key as SigningKey
from routeiq_sdk import Principal
from routeiq_testkit import Reply

from .attacks import (
    Bed,
    a_plugin,
    address_of_the_client,
    another_tenants_team,
    blocked_key,
    chats,
    deep_body,
    deep_management_body,
    foreign_signature,
    governed,
    large_body,
    model_inside,
    nothing_runs,
    one_too_many,
    own_budget,
    second_of_one,
    slow_body,
    starts,
    status_page,
    two_lengths,
    under,
    wider_key,
    wider_routes,
    with_a_body,
    with_a_key,
    with_an_issuer,
    with_tenants,
    wrong_key,
)
from .faults import replaced

Off = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Protection:
    """`attack` tells whether it got through; it is tried with the protection and without it, on one gateway."""

    name: str
    prepare: Callable[[Bed], Awaitable[None]]
    attack: Callable[[Bed], Awaitable[bool]]
    off: Off


# How protections are switched off.


def stand_in(*pairs: tuple[Any, Any]) -> Off:
    """Functions, and what they do instead, wherever they are kept."""

    @contextmanager
    def off() -> Iterator[None]:
        with ExitStack() as stack:
            for function, by in pairs:
                stack.enter_context(replaced(cast("FunctionType", function), by))
            yield

    return off


def entry(module: Any, name: str, value: Any) -> Off:
    """One entry of a table."""

    @contextmanager
    def off() -> Iterator[None]:
        before = getattr(module, name)
        setattr(module, name, value)
        try:
            yield
        finally:
            setattr(module, name, before)

    return off


def _nothing(*_: Any, **__: Any) -> Any:
    return None


async def _nothing_awaited(*_: Any, **__: Any) -> Any:
    return None


def _yes(*_: Any, **__: Any) -> bool:
    return True


async def _yes_awaited(*_: Any, **__: Any) -> bool:
    return True


def _no(*_: Any, **__: Any) -> bool:
    return False


def _the_master(self: Any, *_: Any) -> Any:
    return self._principal


def _principal_as_it_is(self: Any, principal: Any, *_: Any) -> Any:
    return principal


def _enter_always(self: Any) -> bool:
    self.now += 1
    return True


async def _body_as_it_is(self: Any, _ctx: Any, body: Any) -> Any:
    return body


async def _bytes_as_they_are(self: Any, out: bytes) -> bytes:
    return out


async def _read_without_bounds(receive: Any, *_: Any) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


CORE = (
    Protection("a key is wanted", governed(), wrong_key, stand_in((MasterKey.authenticate, _the_master))),
    Protection(
        "the head has one host, one length, no upgrade",
        governed(),
        two_lengths,
        stand_in((head_guards.inspect, _nothing)),
    ),
    Protection(
        "the names the gateway answers to", governed(), under(host="rebound.example"), stand_in((Hosts.judge, _nothing))
    ),
    Protection(
        "pages of other origins", governed(), under(origin="https://evil.example"), stand_in((Origins.judge, _nothing))
    ),
    Protection(
        "size of a body",
        governed(routeiq={"limits": {"body_mib": 0.5}}),
        large_body,
        stand_in((reading.read_body, _read_without_bounds)),
    ),
    Protection(
        "time for a body",
        governed(routeiq={"limits": {"body_seconds": 0.1}}),
        slow_body,
        stand_in((reading.read_body, _read_without_bounds)),
    ),
    Protection("nesting of a body", governed(), deep_body, stand_in((depth.too_deep, _no))),
    Protection(
        "nesting of a body of the management routes", governed(), deep_management_body, stand_in((depth.too_deep, _no))
    ),
    Protection(
        "fields that clients may not send",
        governed(),
        address_of_the_client,
        entry(understanding, "REFUSED", frozenset()),
    ),
    Protection(
        "requests in flight",
        governed(routeiq={"limits": {"in_flight": 1}}),
        one_too_many,
        stand_in((InFlight.enter, _enter_always)),
    ),
    Protection(
        "egress to private addresses", governed(), model_inside, stand_in((EgressPolicy.check_address, _nothing))
    ),
    Protection(
        "the list of plugins that may run",
        nothing_runs,
        starts(a_plugin),
        stand_in((plugin_policy.allowed, _yes)),
    ),
    Protection(
        "a master key that cannot be guessed",
        nothing_runs,
        starts(lambda _bed: {"general_settings": {"master_key": "sk-1234"}}),
        stand_in((master_key.weakness, _nothing)),
    ),
    Protection(
        "protective keys that nothing implements",
        nothing_runs,
        starts(lambda _bed: {"general_settings": {"custom_auth": "my_auth.check"}}),
        stand_in((Report.note_protective, _nothing)),
    ),
)
GOVERNANCE = (
    Protection(
        "blocked keys",
        governed(),
        blocked_key,
        stand_in((refusals.of, _nothing), (Calls.authorize, _nothing_awaited)),  # two layers, each enough alone
    ),
    Protection(
        "models of a key",
        governed(),
        with_a_key(models=["smart"]),
        # Two layers, each of which refuses alone: governance's own check, and the names that its principal carries.
        stand_in((Calls.authorize, _nothing_awaited), (Calls.authorize_target, _nothing), (Principal.may_use, _yes)),
    ),
    Protection(
        "routes of a key", governed(), with_a_key(allowed_routes=["/key/info"]), stand_in((RouteScope.allows, _yes))
    ),
    Protection("roles at routes", governed(), status_page, stand_in((Access.authorize_action, _yes_awaited))),
    Protection(
        "walls between tenants", with_tenants, another_tenants_team, stand_in((Questions.require, _nothing_awaited))
    ),
    Protection("privileged fields", with_tenants, own_budget, stand_in((Questions.fields, _nothing_awaited))),
    Protection("limits of a new key", with_tenants, wider_key, stand_in((Granting.limits, _nothing_awaited))),
    Protection("routes of a new key", with_tenants, wider_routes, stand_in((Granting.routes, _nothing))),
    Protection("budgets", governed(), with_a_key(max_budget=0), stand_in((Quotas.reserve, _nothing_awaited))),
    Protection("requests a minute", governed(), second_of_one, stand_in((Quotas.reserve, _nothing_awaited))),
    Protection(
        "addresses that are served",
        governed(general_settings={"allowed_ips": ["192.0.2.1"]}),
        with_a_body(),
        stand_in((Rules.address, _nothing)),
    ),
    Protection(
        "routes that are open",
        governed(general_settings={"allowed_routes": ["/v1/models"]}),
        with_a_key(),
        stand_in((Rules.route, _nothing)),
    ),
    Protection(
        "parameters that must be sent",
        governed(general_settings={"enforce_user_param": True}),
        with_a_body(),
        stand_in((Rules.body, _nothing)),
    ),
)
IDENTITY = (
    Protection("signatures of tokens", with_an_issuer, foreign_signature, stand_in((SigningKey.verifies, _yes))),
)


# Guards that are plugins: the gates they stand at. Each guard itself is a row of `guard_table`.

JUDGE = """
from routeiq_sdk import Need, Plugin, PluginConfig, Reject, Stop, hookimpl

class Fixture(Plugin[PluginConfig]):
    needs = frozenset({Need.READS_BODY, Need.READS_RESPONSE, Need.READS_STREAM_TEXT})

    @hookimpl
    async def guard_request(self, ctx):
        return Reject(451, "no", type="judged") if "bad question" in ctx.request.text() else None

    @hookimpl
    async def guard_response(self, ctx, response):
        bad = "bad answer" in response["choices"][0]["message"]["content"]
        return Reject(451, "no", type="judged") if bad else None
"""


async def judged(bed: Bed) -> None:
    bed.folder.install("judge", JUDGE, kind="guard")
    bed.running = await bed.govern(plugins={"judge": {}})


async def bad_question(bed: Bed) -> bool:
    return await chats(bed, bed.gateway.key, messages=[{"role": "user", "content": "a bad question"}])


async def bad_answer(bed: Bed) -> bool:
    bed.upstream.script(Reply.chat("a bad answer"))
    return (await bed.master.chat()).status == 200


GUARD_GATES = (
    Protection(
        "the gate of guards on requests", judged, bad_question, stand_in((pipeline.Road._guard, _body_as_it_is))
    ),
    Protection("the gate of guards on answers", judged, bad_answer, stand_in((Delivery._guarded, _bytes_as_they_are))),
)

PROTECTIONS = (*CORE, *GOVERNANCE, *IDENTITY, *GUARD_GATES)
