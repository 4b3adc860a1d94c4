"""Connections of gRPC pass the egress: only to addresses that it checked, whatever a name answers later."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.json_format import MessageToDict

from routeiq_a2a.config import A2AConfig
from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.upstream import grpc_channels, interfaces
from routeiq_a2a.upstream.grpc_channels import Channels
from routeiq_a2a.upstream.interfaces import NoInterface, chosen
from routeiq_sdk import PluginError, RouteIQError
from routeiq_sdk.testing import FakeGateway

from .agents import make_card
from .clients import connected, everything, message, words
from .test_cards import plain, rpc
from .test_grpc import free_port, settings

V1 = {"authorization": "Bearer person-ann", "A2A-Version": "1.0"}


async def ask(gateway: Any, name: str = "echo") -> Any:
    async with gateway.session.post(f"/a2a/{name}", json=rpc("SendMessage", plain("hello")), headers=V1) as response:
        return await response.json()


def reason(told: Any) -> str:
    return str(told["error"]["data"][0]["reason"])


def named(gateway: Any, names: dict[str, list[Sequence[str]]]) -> None:
    """Let the gateway's resolver give each name these answers, the last one again and again."""

    async def look_up(host: str, port: int) -> Sequence[str]:
        answers = names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    gateway.app.shared.egress._lookup = look_up


async def test_a_private_address_is_refused_to_agents_that_came_by_the_admin_api(run_agent, open_gateway) -> None:
    agent = await run_agent(binding="GRPC")
    gateway = await open_gateway()
    card = MessageToDict(agent.card)
    body = {"agent_name": "added", "agent_card_params": {**card, "url": "https://outer.example"}}
    card["supportedInterfaces"] = [
        {"url": f"http://outer.example:{agent.grpc_port}", "protocolBinding": "GRPC", "protocolVersion": "1.0"}
    ]
    body["agent_card_params"] = card
    named(gateway, {"outer.example": [["93.184.216.34"], ["127.0.0.1"]]})
    headers = {"authorization": f"Bearer {gateway.key}"}
    async with gateway.session.post("/v1/agents", json=body, headers=headers) as response:
        assert response.status == 200, await response.text()
    assert reason(await ask(gateway, "added")) == "AGENT_UNREACHABLE"
    assert not agent.paths, "the name was public when it was added, and is not now"


async def test_a_name_that_changes_its_answer_moves_no_connection(run_agent, open_gateway) -> None:
    agent = await run_agent(binding="GRPC")
    agent.card.supported_interfaces[0].url = f"http://agent.example:{agent.grpc_port}"
    origins = [f"http://agent.example:{agent.grpc_port}"]
    gateway = await open_gateway(agents={"echo": {"url": agent.url, "origins": origins}})
    named(gateway, {"agent.example": [["127.0.0.1"], ["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1"]]})
    async with connected(gateway) as client:
        assert words(await everything(client, message("hello"))) == "echo: hello"
        assert words(await everything(client, message("again"))) == "echo: again"
    assert reason(await ask(gateway)) == "AGENT_UNREACHABLE"
    calls = len(agent.paths)
    assert "result" in await ask(gateway)
    assert len(agent.paths) == calls + 1


async def test_a_tenants_list_binds_grpc_too(run_agent, open_gateway, plugin_folder) -> None:
    plugin_folder.install(
        "red",
        """
from routeiq_sdk import Plugin, PluginConfig, Principal, hookimpl

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def authenticate(self, ctx):
        word = ctx.credential.reveal() if ctx.credential else ""
        return Principal(id=word, kind="key", team="red") if word == "red-one" else None
""",
        kind="auth",
    )
    agent = await run_agent(binding="GRPC")
    egress = {"tenants": {"red": {"only": ["other.example"]}}}
    gateway = await open_gateway(agents={"echo": settings(agent)}, plugins={"red": {}}, routeiq={"egress": egress})
    assert "result" in await ask(gateway)
    body = rpc("SendMessage", plain("hello"))
    calls = len(agent.paths)
    async with gateway.session.post(
        "/a2a/echo", json=body, headers={**V1, "authorization": "Bearer red-one"}
    ) as response:
        assert reason(await response.json()) == "AGENT_UNREACHABLE"
    assert len(agent.paths) == calls


async def test_channels_are_kept_checked_each_time_and_closed(monkeypatch) -> None:
    monkeypatch.setattr(grpc_channels, "_MOST_IDLE", 2)
    egress = FakeGateway().egress
    channels = Channels(egress, most_bytes=1024)
    async with channels.to("https://agent.example/a2a", untrusted=False, tenants=()) as first:
        pass
    async with channels.to("https://agent.example/other", untrusted=False, tenants=()) as again:
        assert again is first
    async with channels.to("https://agent.example", untrusted=True, tenants=()) as strangers:
        assert strangers is not first
    assert len(egress.checked) == 3
    egress.forbid("https://agent.example/a2a")
    with pytest.raises(RouteIQError):
        async with channels.to("https://agent.example/a2a", untrusted=False, tenants=()):
            pass
    async with channels.to("https://agent.example", untrusted=False, tenants=()) as used:
        for number in range(5):
            async with channels.to(f"https://agent{number}.example", untrusted=False, tenants=()):
                pass
        assert len(channels._kept) == 3
        assert used is first, "one in use is not closed"
    await channels.close()
    assert not channels._kept


@pytest.mark.parametrize(
    ("addresses", "target"),
    [
        (["192.0.2.7", "192.0.2.3"], "ipv4:192.0.2.3:443,192.0.2.7:443"),
        (["192.0.2.7", "2001:db8::1"], "ipv4:192.0.2.7:443"),
        (["2001:db8::1", "192.0.2.7"], "ipv6:[2001:db8::1]:443"),
    ],
)
def test_targets_are_numbers(addresses: list[str], target: str) -> None:
    assert grpc_channels._target(addresses, 443) == target


@pytest.mark.parametrize(
    ("told", "written", "url"),
    [
        ("https://grpc.example/a2a", "https://grpc.example", "https://grpc.example/a2a"),
        ("grpcs://grpc.example:50051", "https://grpc.example:50051", "https://grpc.example:50051"),
        ("grpc.example:50051", "https://grpc.example:50051", "https://grpc.example:50051"),
        ("dns:///grpc.example:50051", "https://grpc.example:50051", "https://grpc.example:50051"),
        ("dns:grpc.example:50051", "https://grpc.example:50051", "https://grpc.example:50051"),
        ("grpc.example:50051", "http://grpc.example:50051", "http://grpc.example:50051"),
        ("grpc.example", "https://grpc.example", "https://grpc.example"),
        ("localhost:50051", "https://elsewhere.example", "https://agent.example"),
        ("localhost:50051", "http://localhost:50051", "http://localhost:50051"),
        ("http://grpc.example:50051", "https://grpc.example:50051", None),
        ("grpc.example:50052", "https://grpc.example:50051", None),
        ("unix:/run/agent.sock", "https://grpc.example", None),
        ("ipv4:10.0.0.1:50051", "https://grpc.example", None),
        ("dns://8.8.8.8/grpc.example:50051", "https://grpc.example:50051", None),
    ],
)
def test_addresses_of_cards_are_read_in_every_usual_form(told: str, written: str, url: str | None) -> None:
    agent = Agent(id="x", name="x", url="https://agent.example", origins=(written,))
    card = make_card("https://agent.example", version="1.0", binding="GRPC")
    card.supported_interfaces[0].url = told
    if url is None:
        with pytest.raises(NoInterface, match="another address"):
            chosen(agent, card)
    else:
        assert chosen(agent, card).url == url


def certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    others = [x509.DNSName(n) if n[0].isalpha() else x509.IPAddress(ip_address(n)) for n in names]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(others), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certfile, keyfile = folder / f"{names[0]}.pem", folder / f"{names[0]}.key"
    certfile.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    keyfile.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certfile, keyfile


async def test_tls_is_checked_for_the_name_though_the_target_is_a_number(
    run_agent, open_gateway, tmp_path, monkeypatch
) -> None:
    certfile, keyfile = certificate(tmp_path, "agent.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certfile))
    credentials = grpc.ssl_server_credentials([(keyfile.read_bytes(), certfile.read_bytes())])
    agent = await run_agent(binding="GRPC", credentials=credentials)
    port = agent.grpc_port
    cards = {"right": f"agent.example:{port}", "wrong": f"other.example:{port}"}
    rows: dict[str, Any] = {}
    for name, target in cards.items():
        other = await run_agent(binding="GRPC", credentials=credentials) if name == "wrong" else agent
        other.card.supported_interfaces[0].url = target
        rows[name] = {"url": other.url, "origins": [f"https://{target}"]}
    gateway = await open_gateway(agents=rows)
    named(gateway, {"agent.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]})
    assert "result" in await ask(gateway, "right")
    calls = len(agent.paths)
    assert reason(await ask(gateway, "wrong")) == "AGENT_UNREACHABLE"
    assert len(agent.paths) == calls


async def test_the_listener_speaks_tls_and_needs_it_beyond_loopback(run_agent, open_gateway, tmp_path) -> None:
    certfile, keyfile = certificate(tmp_path, "127.0.0.1")
    port = free_port()
    agent = await run_agent()
    tls = {"certfile": str(certfile), "keyfile": str(keyfile)}
    block = {"listen": f"127.0.0.1:{port}", "tls": tls, "address": "gateway.example:443"}
    gateway = await open_gateway(agents={"echo": {"url": agent.url}}, public_url="https://gateway.example", grpc=block)
    async with gateway.session.get("/a2a/echo/.well-known/agent-card.json", headers=V1) as response:
        offered = (await response.json())["supportedInterfaces"]
    (own,) = [each for each in offered if each["protocolBinding"] == "GRPC"]
    assert own == {
        "url": "gateway.example:443",
        "protocolBinding": "GRPC",
        "protocolVersion": "1.0",
        "tenant": "echo",
    }
    credentials = grpc.ssl_channel_credentials(certfile.read_bytes())
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel, asyncio.timeout(10):
        await channel.channel_ready()


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"listen": "0.0.0.0:50051"}, "listens beyond loopback without tls"),
        ({"listen": "[::]:50051"}, "listens beyond loopback without tls"),
        ({"listen": "::1:50051"}, "stands in brackets"),
        ({"listen": "gateway.example:50051"}, "HOST is an address"),
        ({"listen": "50051"}, "not HOST:PORT"),
        ({"listen": "127.0.0.1:500510"}, "not HOST:PORT"),
        ({"listen": "127.0.0.1:50051", "reflection": True}, "Extra inputs"),
    ],
)
def test_a_listener_that_would_not_be_safe_or_right_is_refused(block: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        A2AConfig.model_validate({"public_url": "https://gateway.example", "grpc": block})


def test_a_listener_needs_the_public_url() -> None:
    with pytest.raises(ValueError, match="grpc needs public_url"):
        A2AConfig.model_validate({"grpc": {"listen": "127.0.0.1:50051"}})


async def test_what_cannot_be_listened_on_stops_the_start(open_gateway, tmp_path) -> None:
    public = {"public_url": "https://gateway.example"}
    with pytest.raises(PluginError, match="cannot be listened on"):
        await open_gateway(grpc={"listen": "[fe80::1]:50051", "tls": _pair(tmp_path)}, **public)
    with pytest.raises(PluginError, match=r"tls\.keyfile: No such file"):
        missing = {**_pair(tmp_path), "keyfile": str(tmp_path / "missing")}
        await open_gateway(grpc={"listen": "127.0.0.1:50051", "tls": missing}, **public)


def _pair(folder: Path) -> dict[str, str]:
    certfile, keyfile = certificate(folder, "gateway.example")
    return {"certfile": str(certfile), "keyfile": str(keyfile)}


@pytest.mark.parametrize(
    "block",
    [
        {"public_url": "https://gateway.example", "grpc": {"listen": "127.0.0.1:0"}},
        {"agents": {"echo": {"url": "https://agent.example", "binding": "GRPC"}}},
    ],
)
async def test_without_the_library_the_start_says_what_to_install(open_gateway, monkeypatch, block) -> None:
    monkeypatch.setattr("routeiq_a2a.parts.has_grpc", lambda: False)
    with pytest.raises(PluginError, match=r"routeiq-a2a\[grpc\]"):
        await open_gateway(**block)


async def test_without_the_library_a_card_of_grpc_alone_says_so(monkeypatch) -> None:
    monkeypatch.setattr(interfaces, "has_grpc", lambda: False)
    agent = Agent(id="x", name="x", url="https://agent.example")
    card = make_card("https://agent.example", version="1.0", binding="GRPC")
    with pytest.raises(NoInterface, match=r"routeiq-a2a\[grpc\]"):
        chosen(agent, card)
    card.supported_interfaces.extend(
        make_card("https://agent.example", version="1.0", binding="JSONRPC").supported_interfaces
    )
    assert chosen(agent, card).binding == "JSONRPC"
