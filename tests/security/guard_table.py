"""Every protection of the gateway: how it is switched off, at exactly one place, and the attack that must then succeed.

A new protection is one more `Protection` in a list; `GUARD_PLUGINS` has the place for guards that are plugins.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
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
from routeiq_sdk import ConfigError, Principal
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .conftest import Govern
from .faults import replaced
from .issuers import AUDIENCE, Issuer
from .raw_http import Line
from .tenants import CHAT, Client, client_of, two_tenants


@dataclass
class Bed:
    """What attacks have at hand. `canary` is a server that no configuration names."""

    start: StartGateway
    govern: Govern
    upstream: ScriptedUpstream
    canary: ScriptedUpstream
    folder: PluginFolder
    tmp_path: Path
    running: TestGateway | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def gateway(self) -> TestGateway:
        """The gateway that `prepare` started."""
        assert self.running is not None
        return self.running

    @property
    def master(self) -> Client:
        """Its operator."""
        return client_of(self.gateway)


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


# The gateways they are tried on.


def governed(governance: Mapping[str, Any] | None = None, **sections: Any) -> Callable[[Bed], Awaitable[None]]:
    """One with governance."""

    async def prepare(bed: Bed) -> None:
        bed.running = await bed.govern(governance, **sections)

    return prepare


async def with_tenants(bed: Bed) -> None:
    """One with two tenants in it."""
    bed.running = await bed.govern()
    bed.kept["people"] = await two_tenants(bed.running)


async def nothing_runs(_bed: Bed) -> None:
    """None: the attack is a start."""


async def chats(bed: Bed, key: str, **fields: Any) -> bool:
    """Whether a chat completion with this key reaches the model."""
    before = len(bed.upstream.requests)
    answer = await Client(bed.gateway, key).chat(**fields)
    assert (answer.status == 200) == (len(bed.upstream.requests) > before), answer
    return answer.status == 200


def with_a_key(**fields: Any) -> Callable[[Bed], Awaitable[bool]]:
    """The attack: a chat with a key that has these fields."""

    async def attack(bed: Bed) -> bool:
        return await chats(bed, (await bed.master.key_with(**fields)).key)

    return attack


def with_a_body(**fields: Any) -> Callable[[Bed], Awaitable[bool]]:
    """The attack: a chat whose body has these fields."""

    async def attack(bed: Bed) -> bool:
        return await chats(bed, bed.gateway.key, **fields)

    return attack


def starts(config: Callable[[Bed], Mapping[str, Any]]) -> Callable[[Bed], Awaitable[bool]]:
    """The attack: a gateway that starts with this configuration."""

    async def attack(bed: Bed) -> bool:
        try:
            await bed.start({"model_list": [], **config(bed)})
        except ConfigError:
            return False
        return True

    return attack


# The attacks that are more than one of these.


async def wrong_key(bed: Bed) -> bool:
    return await chats(bed, "sk-" + "0" * 43)


async def blocked_key(bed: Bed) -> bool:
    key = await bed.master.key_with()
    await bed.master.good("POST", "/key/block", {"key": key.id})
    return await chats(bed, key.key)


async def second_of_one(bed: Bed) -> bool:
    key = await bed.master.key_with(rpm_limit=1)
    return await chats(bed, key.key) and await chats(bed, key.key)


async def status_page(bed: Bed) -> bool:
    key = await bed.master.key_with()
    return (await key.ask("GET", "/routeiq/v1/status")).status == 200


async def another_tenants_team(bed: Bed) -> bool:
    return (await bed.kept["people"]["olga"].ask("GET", "/team/info", team_id="red")).status == 200


async def own_budget(bed: Bed) -> bool:
    uma = bed.kept["people"]["uma"]
    return (await uma.ask("POST", "/user/update", {"user_id": "uma", "max_budget": 1_000_000})).status == 200


async def wider_key(bed: Bed) -> bool:
    olga = bed.kept["people"]["olga"]
    await bed.master.good("POST", "/key/update", {"key": olga.id, "max_budget": 5})
    return (await olga.ask("POST", "/key/generate", {"team_id": "blue", "max_budget": 1_000_000})).status == 200


async def wider_routes(bed: Bed) -> bool:
    narrow = await bed.master.key_with(user_id="olga", allowed_routes=["/key/generate"])
    return (await narrow.ask("POST", "/key/generate", {"team_id": "blue"})).status == 200


async def model_inside(bed: Bed) -> bool:
    row = {"model": "openai/x", "api_key": "sk-x", "api_base": bed.canary.base_url}
    before = len(bed.canary.requests)
    await bed.master.ask("POST", "/model/new", {"model_name": "inside", "litellm_params": row})
    await bed.master.chat(model="inside")
    return len(bed.canary.requests) > before


async def two_lengths(bed: Bed) -> bool:
    line, body = Line(bed.gateway.url), json.dumps(CHAT).encode()
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bed.gateway.key}\r\n"
    both = f"content-length: {len(chunked)}\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = await line.send((head + both).encode() + chunked)
    line.close()
    return answer.status == 200


async def large_body(bed: Bed) -> bool:
    return await chats(bed, bed.gateway.key, user="x" * (1 << 20))


async def slow_body(bed: Bed) -> bool:
    host, _, port = bed.gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps(CHAT).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bed.gateway.key}\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body[:9])
    first = asyncio.create_task(reader.readline())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(first), 0.5)  # the bound is 0.1: an answer by now is a refusal
    writer.write(body[9:])
    status = int((await first).split()[1])
    writer.transport.abort()
    return status == 200


async def deep_body(bed: Bed) -> bool:
    deep: Any = []
    for _ in range(70):
        deep = [deep]
    return await chats(bed, bed.gateway.key, metadata={"deep": deep})


async def deep_management_body(bed: Bed) -> bool:
    deep: Any = []
    for _ in range(70):
        deep = [deep]
    return (await bed.master.ask("POST", "/team/new", {"metadata": {"deep": deep}})).status == 200


async def address_of_the_client(bed: Bed) -> bool:
    return await chats(bed, bed.gateway.key, api_base=bed.canary.base_url)


async def one_too_many(bed: Bed) -> bool:
    bed.upstream.default_for("scripted-model", Reply.chat("late").delayed(0.2))
    return [answer.status for answer in await asyncio.gather(*(bed.master.chat() for _ in range(2)))] == [200, 200]


async def foreign_signature(bed: Bed) -> bool:
    issuer: Issuer = bed.kept["issuer"]
    return await chats(bed, issuer.token(signed_by=bed.kept["stranger"]))


async def with_an_issuer(bed: Bed) -> None:
    issuer, bed.kept["stranger"] = Issuer(), Issuer()
    bed.kept["issuer"] = await bed.kept["stack"].enter_async_context(issuer)
    oidc = {"issuers": [{"issuer": issuer.url, "audience": AUDIENCE}]}
    bed.running = await bed.govern(plugins={"oidc": oidc}, routeiq={"egress": {"allow": ["127.0.0.0/8"]}})


def a_plugin(bed: Bed) -> Mapping[str, Any]:
    """A configuration that names an installed plugin which its list does not admit."""
    if "stranger" not in bed.kept:
        source = "from routeiq_sdk import Plugin, PluginConfig\nclass Fixture(Plugin[PluginConfig]):\n    pass\n"
        bed.folder.install("stranger", source)
        bed.kept["stranger"] = True
    allow = [{"distribution": "routeiq-governance"}]
    return {"routeiq": {"plugins": {"stranger": {}}, "plugin_policy": {"allow": allow}}}


CORE = (
    Protection("a key is wanted", governed(), wrong_key, stand_in((MasterKey.authenticate, _the_master))),
    Protection(
        "the head has one host, one length, no upgrade",
        governed(),
        two_lengths,
        stand_in((head_guards.inspect, _nothing)),
    ),
    # The check of the Host header, and of Origin where a browser sends one, comes here with its own row.
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


# Guards that are plugins. The four gates they stand at are alive by themselves; each guard then has its own row.

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


GUARD_PLUGINS = (
    Protection(
        "the gate of guards on requests", judged, bad_question, stand_in((pipeline.Road._guard, _body_as_it_is))
    ),
    Protection("the gate of guards on answers", judged, bad_answer, stand_in((Delivery._guarded, _bytes_as_they_are))),
    # guard-pii, guard-secrets, guard-injection, guard-content, guard-external: one row each, with `off` at the plugin's
    # own hook (`stand_in((Plugin.guard_request, _nothing_awaited))`).
)

PROTECTIONS = (*CORE, *GOVERNANCE, *IDENTITY, *GUARD_PLUGINS)
