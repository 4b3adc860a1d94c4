"""A2A 1.0.1, row by row: cards and extensions (sections 4.5, 4.6, 5.2, 8, 13.3 and 14.3)."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from a2a.types import AgentCard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from google.api.field_behavior_pb2 import REQUIRED, field_behavior

from .spec import EXTENSION, RPC, Client, Row, Rows, Spec, message

pytestmark = pytest.mark.asyncio(loop_scope="module")
rows = Rows()
CARD = "/.well-known/agent-card.json"


async def get(client: Client, path: str | None = None, **headers: str | None) -> httpx.Response:
    """A card, as a client of 1.0 with a key asks for it."""
    told: dict[str, str | None] = {"authorization": f"Bearer {client.person}", "a2a-version": "1.0"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {name: value for name, value in told.items() if value is not None}
    place = path if path is not None else f"/a2a/{client.agent}{CARD}"
    return await client.spec.http.get(client.spec.gateway.url + place, headers=kept)


def missing(value: Any, kind: Any) -> list[str]:
    """The required fields that a document of this kind has not, or has empty."""
    found = []
    for field in kind.fields:
        told = value.get(field.json_name)
        if REQUIRED in field.GetOptions().Extensions[field_behavior] and told in (None, "", []):
            found.append(field.json_name)
        if field.message_type is None or field.message_type.GetOptions().map_entry or told is None:
            continue
        if not field.message_type.full_name.startswith("google."):
            for each in told if isinstance(told, list) else [told]:
                found += [f"{field.json_name}.{name}" for name in missing(each, field.message_type)]
    return found


@rows.row("8.1", RPC)
async def there_is_a_card(client: Client) -> None:
    """A card is at the well-known path of each agent, and of the gateway for the agent that it calls its own (14.3)."""
    for path in (None, CARD):
        answer = await get(client, path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == "application/json"
        assert missing(answer.json(), AgentCard.DESCRIPTOR) == []
        assert answer.json()["name"] == "Echo"


@rows.row("8.3.1", RPC)
async def every_interface_is_where_the_card_says(client: Client) -> None:
    """Each interface of the card answers at its address, in its binding and version; the first is the preferred one,
    and versions have no patch (3.6, 5.2)."""
    card = (await get(client)).json()
    told = [(each["protocolBinding"], each["protocolVersion"]) for each in card["supportedInterfaces"]]
    assert told == [("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3"), ("HTTP+JSON", "0.3")]
    text = {"kind": "text", "text": "hello"}
    bodies: dict[tuple[str, str], tuple[str, Any]] = {
        told[0]: ("", {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": message("hello")}),
        told[1]: ("/message:send", message("hello")),
        told[2]: (
            "",
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "message/send",
                "params": {"message": {"messageId": "m", "role": "user", "parts": [text]}},
            },
        ),
        told[3]: (
            "/v1/message:send",
            {"request": {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "hello"}]}},
        ),
    }
    for each in card["supportedInterfaces"]:
        binding, version = each["protocolBinding"], each["protocolVersion"]
        path, body = bodies[binding, version]
        headers = {"authorization": f"Bearer {client.person}", "a2a-version": version}
        answer = await client.spec.http.post(each["url"] + path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert "echo: hello" in answer.text


@rows.row("4.5", RPC)
async def the_card_says_how_to_sign_in(client: Client) -> None:
    """Each scheme of the card's security opens every interface, and nothing else does (5.1, 7.4)."""
    card = (await get(client)).json()
    assert sorted(name for each in card["securityRequirements"] for name in each["schemes"]) == ["apiKey", "bearer"]
    bearer, api_key = (card["securitySchemes"][name] for name in ("bearer", "apiKey"))
    assert bearer["httpAuthSecurityScheme"]["scheme"].lower() == "bearer"
    assert api_key["apiKeySecurityScheme"]["location"] == "header"
    header = api_key["apiKeySecurityScheme"]["name"]
    for binding in ("JSONRPC", "HTTP+JSON"):
        asking = Client(client.spec, binding, client.person)
        for headers in ({}, {"authorization": None, header: client.person}):
            assert (await asking.call("ListTasks", **headers)).error is None
        for headers in ({"authorization": None}, {"authorization": None, header: "wrong"}):
            assert (await asking.call("ListTasks", **headers)).status == 401


@rows.row("8", RPC)
async def a_card_is_for_who_may_see_it(client: Client) -> None:
    """A card is shown to callers with a key, and holds neither an address inside nor a credential."""
    for path in (None, CARD):
        refused = await get(client, path, authorization=None)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
    assert client.spec.agent.url not in (await get(client)).text


def numbers(value: str) -> int:
    return int.from_bytes(decoded(value), "big")


def decoded(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


async def verify(client: Client, document: dict[str, Any]) -> None:
    """Check a card's signature by the rules alone (8.4.1 to 8.4.3), without the library: the library's form, in which
    nothing is empty, has another one. Raises `InvalidSignature`."""
    signature = document["signatures"][0]
    header = json.loads(decoded(signature["protected"]))
    assert header["alg"] == "ES256"
    assert header["typ"] == "JOSE"
    keys = (await client.spec.http.get(header["jku"])).json()["keys"]
    key = next(each for each in keys if each["kid"] == header["kid"])
    public = ec.EllipticCurvePublicNumbers(numbers(key["x"]), numbers(key["y"]), ec.SECP256R1()).public_key()
    content = {name: value for name, value in document.items() if name != "signatures"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    payload = base64.urlsafe_b64encode(canonical).rstrip(b"=").decode()
    raw = decoded(signature["signature"])
    pair = (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    signed = f"{signature['protected']}.{payload}".encode()
    public.verify(encode_dss_signature(*pair), signed, ec.ECDSA(SHA256()))


@rows.row("8.4", RPC)
async def signatures_hold_by_the_rules(client: Client) -> None:
    """Cards, the extended one too, are signed over their canonical form, with alg, typ and kid in the protected
    header; a change breaks the signature."""
    cards = [(await get(client.at(name))).json() for name in ("echo", "bare", "needy")]
    cards.append((await client.call("GetExtendedAgentCard")).value)
    for card in cards:
        await verify(client, card)
        with pytest.raises(InvalidSignature):
            await verify(client, {**card, "description": "Other."})


@rows.row("8.4.1", RPC)
async def capabilities_that_were_set_are_there(client: Client) -> None:
    """Capabilities that are said stay said, those that are not stay out: so it is in the canonical form."""
    said, unsaid = [(await get(client.at(name))).json()["capabilities"] for name in ("echo", "bare")]
    assert said == {"streaming": True, "pushNotifications": True, "extendedAgentCard": True}
    assert unsaid == {}


@rows.row("8.6.1", RPC)
async def cards_may_be_cached(client: Client) -> None:
    """A card says how long it may be kept and has an ETag; one that is the same is not sent again (8.6.2)."""
    answer = await get(client)
    assert "max-age=" in answer.headers["cache-control"]
    tag = answer.headers["etag"]
    again = await get(client, if_none_match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert "max-age=" in again.headers["cache-control"]
    for other in ('"other"', 'W/"other"'):
        assert (await get(client, if_none_match=other)).status_code == 200
    assert (await get(client.at("needy"))).headers["etag"] != tag


@rows.row("13.3")
async def extended_cards_are_cached_by_their_reader_alone(client: Client) -> None:
    """The extended card says that nobody but who asked may keep it."""
    answer = await client.call("GetExtendedAgentCard")
    if client.binding == "HTTP+JSON":
        assert "private" in answer.headers["cache-control"]
        assert "Authorization" in answer.headers["vary"]


@rows.row("3.3.4")
async def a_required_extension_has_to_be_named(client: Client) -> None:
    """Without the extension that an agent requires a message is refused by its error; another version of it is another
    extension, and none is fallen back to (4.6.3)."""
    needy = client.at("needy")
    older = EXTENSION.replace("/v2", "/v1")
    for told in ({}, {"a2a_extensions": older}, {"a2a_extensions": f"https://other.example/1,{older}"}):
        for operation in ("SendMessage", "SendStreamingMessage"):
            (await needy.call(operation, message("x"), **told)).is_error("ExtensionSupportRequiredError")
    told = {"a2a_extensions": f"https://other.example/1, {EXTENSION}"}
    assert (await needy.call("SendMessage", message("hello"), **told)).value["task"]


@rows.row("4.6.3")
async def an_extension_that_nobody_knows_is_ignored(client: Client) -> None:
    """An extension that the agent does not support changes nothing."""
    told = {"a2a_extensions": "https://unknown.example/v9"}
    assert (await client.call("SendMessage", message("hello"), **told)).value["task"]


@pytest.mark.parametrize(("row", "binding"), rows.cases())
async def test_it_holds(spec: Spec, row: Row, binding: Any) -> None:
    await row.check(spec.client(binding))
