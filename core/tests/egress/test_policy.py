"""The rules: public for everyone, the operator's own origins as written, `allow` for the rest, metadata for nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from routeiq.egress import AllowRule, EgressPolicy, EgressRefused, Lookup, parse_operator_url
from routeiq.egress.connector import PinnedResolver

PUBLIC_URLS = Path(__file__).with_name("public_urls.txt").read_text().split()
PUBLIC_ANSWERS = ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"]


def test_there_are_enough_public_urls_to_tell_of_overblocking() -> None:
    assert len(set(PUBLIC_URLS)) >= 40


@pytest.mark.parametrize("text", PUBLIC_URLS)
async def test_ordinary_public_urls_pass(text: str, answers: Callable[..., Lookup]) -> None:
    policy = EgressPolicy()
    url = policy.parse(text)
    policy.check_url(url)
    resolver = PinnedResolver(answers(otherwise=PUBLIC_ANSWERS), policy.check_address)
    assert [found["host"] for found in await resolver.resolve(url.host, url.port)] == PUBLIC_ANSWERS


@pytest.mark.parametrize(
    ("entry", "host", "port", "address"),
    [
        ("10.0.0.0/8", "model.example.com", 8000, "10.1.2.3"),
        ("fd00:1::/32", "model.example.com", 8000, "fd00:1::5"),
        ("10.1.2.3", "10.1.2.3", 9, "10.1.2.3"),
        ("10.1.2.3:8000", "10.1.2.3", 8000, "10.1.2.3"),
        ("[fd00::5]:8000", "fd00::5", 8000, "fd00::5"),
        ("model.example.com", "model.example.com", 1, "192.168.0.1"),
        ("Model.Example.com:8000", "model.example.com", 8000, "127.0.0.1"),
        ("*.example.com", "a.b.example.com", 8000, "127.0.0.1"),
        ("localhost:11434", "localhost", 11434, "::1"),
    ],
)
def test_an_allow_entry_opens_what_it_names(entry: str, host: str, port: int, address: str) -> None:
    with pytest.raises(EgressRefused, match=r"egress\.allow"):
        EgressPolicy().check_address(host, port, address)
    EgressPolicy(allow=(AllowRule.parse(entry),)).check_address(host, port, address)


@pytest.mark.parametrize(
    ("entry", "host", "port", "address"),
    [
        ("10.0.0.0/8", "model.example.com", 8000, "192.168.0.1"),
        ("10.0.0.0/8", "model.example.com", 8000, "::ffff:10.0.0.1"),
        ("10.1.2.3:8000", "10.1.2.3", 8001, "10.1.2.3"),
        ("model.example.com:8000", "model.example.com", 8001, "10.0.0.1"),
        ("model.example.com", "other.example.com", 8000, "10.0.0.1"),
        ("*.example.com", "example.com", 8000, "10.0.0.1"),
        ("*.example.com", "evilexample.com", 8000, "10.0.0.1"),
        ("localhost", "app.localhost", 8000, "127.0.0.1"),
    ],
)
def test_an_allow_entry_opens_nothing_else(entry: str, host: str, port: int, address: str) -> None:
    policy = EgressPolicy(allow=(AllowRule.parse(entry),))
    with pytest.raises(EgressRefused):
        policy.check_address(host, port, address)


@pytest.mark.parametrize(
    "entry", ["0.0.0.0/0", "::/0", "169.254.0.0/16", "169.254.169.254", "meta.example.com", "*.internal"]
)
@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "168.63.129.16"])
def test_no_entry_opens_metadata(entry: str, address: str) -> None:
    policy = EgressPolicy(allow=(AllowRule.parse(entry),))
    for host in (address, "meta.example.com", "x.internal"):
        with pytest.raises(EgressRefused, match="metadata"):
            policy.check_address(host, 80, address)
    with pytest.raises(EgressRefused, match="metadata"):
        policy.check_url(policy.parse("http://metadata.google.internal/"))


@pytest.mark.parametrize(
    "text",
    [
        "http://169.254.169.254/latest",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://168.63.129.16:32526/",
        "http://metadata.google.internal/",
        "http://metadata/",
    ],
)
def test_an_operator_cannot_write_a_metadata_origin(text: str) -> None:
    with pytest.raises(EgressRefused, match="metadata"):
        EgressPolicy.compile([text], [])


@pytest.mark.parametrize(
    "entry", ["", "10.0.0.1/8", "10.0.0.0/33", "host:0", "host:70000", "a b", "http://x", "*", "1.2.3", "[x]:1", "a/b"]
)
def test_a_malformed_allow_entry_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match=r"neither a network nor|outside 1 to 65535"):
        AllowRule.parse(entry)


def test_names_the_operator_wrote_may_have_no_dot() -> None:
    policy = EgressPolicy.compile(["http://vllm:8000/v1"], ["ollama:11434"])
    assert policy.parse("http://vllm:8000/v1/models").origin in policy.operator_origins
    assert policy.parse("http://ollama:11434/").host == "ollama"
    with pytest.raises(EgressRefused):
        policy.parse("http://router/")


def test_ports_below_1024_other_than_the_webs_need_an_entry() -> None:
    policy = EgressPolicy()
    for port in (22, 25, 445):
        with pytest.raises(EgressRefused, match="not a web port"):
            policy.check_url(policy.parse(f"http://example.com:{port}/"))
        EgressPolicy.compile([], [f"example.com:{port}"]).check_url(policy.parse(f"http://example.com:{port}/"))
    for port in (80, 443, 1024, 8080, 65535):
        policy.check_url(policy.parse(f"http://example.com:{port}/"))


def test_an_operator_origin_is_exact_in_scheme_host_and_port() -> None:
    policy = EgressPolicy.compile(["http://127.0.0.1:8000/v1"], [])
    assert parse_operator_url("http://127.0.0.1:8000/anything?else").origin in policy.operator_origins
    for text in (
        "https://127.0.0.1:8000/",
        "http://127.0.0.1:8001/",
        "http://127.0.0.2:8000/",
        "http://localhost:8000/",
    ):
        assert parse_operator_url(text).origin not in policy.operator_origins
