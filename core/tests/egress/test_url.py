"""The grammar: one reading of every URL it accepts, and no secret in what it says about the others."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx
import pytest
import yarl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from routeiq.egress import EgressRefused, Origin, Url, parse_operator_url, parse_url, redact

PIECES = [
    *(
        "http://",
        "https://",
        "HTTP://",
        "http:",
        "//",
        "/",
        "\\",
        "?",
        "#",
        "@",
        ":",
        ":80",
        ":8080",
        ":080",
        ".",
        "..",
        "%",
    ),
    *(
        "example.com",
        "EXAMPLE.com",
        "a",
        "localhost",
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "017",
        "1",
        "0",
        "[::1]",
        "[",
    ),
    *(
        "]",
        "[::ffff:1.2.3.4]",
        "%25eth0",
        "%2e",
        "%00",
        "\t",
        "\n",
        "\r",
        " ",
        "\x00",
        "\u2460",
        "\u3002",
        "\uff0e",
        "\u00e4",
    ),
    *(
        "xn--bcher-kva",
        "xn--",
        "-",
        "_",
        "--",
        "&",
        ";",
        ",",
        "|",
        "user",
        ":pw@",
        "\u00ad",
        "\u200b",
        "*",
        "~",
        "'",
        "{",
        "}",
    ),
]


def _same_host(ours: str, theirs: str | None) -> bool:
    if theirs is None:
        return False
    bare = theirs.strip("[]").lower()
    if ":" in ours:
        return ip_address(ours) == ip_address(bare)
    return ours == bare


@settings(max_examples=3000, deadline=None)
@given(
    st.one_of(
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join),
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map(lambda parts: "http://" + "".join(parts)),
        st.text(max_size=30).map(lambda text: "http://" + text),
    )
)
@example("http://example.com\\@127.0.0.1/")
@example("http://[::ffff:127.0.0.1]:8080/?@example.com")
@example("http://xn--bcher-kva.example/")
@example("http://1.1.1.1/..//@x:80?y=http://z")
def test_every_parser_reads_an_accepted_url_as_we_do_or_refuses_it(text: str) -> None:
    try:
        url = parse_url(text)
    except EgressRefused:
        return
    for shape in (text, url.text):
        split = urlsplit(shape)
        assert _same_host(url.host, split.hostname), shape
        assert split.port in (url.port, None), shape
        assert split.username is None
        assert split.password is None
        for read in (yarl.URL(shape, encoded=True), yarl.URL(shape)):
            assert _same_host(url.host, read.raw_host), shape
            assert read.port == url.port, shape
            assert read.raw_user is None
        try:
            other = httpx.URL(shape)
        except httpx.InvalidURL:
            continue
        assert _same_host(url.host, other.raw_host.decode()), shape
        assert other.port in (url.port, None), shape
        assert not other.userinfo
    before, _, query = url.text.partition("?")
    assert str(url.yarl) == (url.text if query else before)
    assert parse_url(url.text) == url


def test_a_url_is_canonical_in_scheme_host_and_port_and_raw_in_the_rest() -> None:
    url = parse_url("HTTPS://API.Example.COM:443/v1/%7Euser/../x?q=A%20b&k=a|b")
    assert url.origin == Origin("https", "api.example.com", 443)
    assert url.target == "/v1/%7Euser/../x?q=A%20b&k=a|b"
    assert url.text == "https://api.example.com/v1/%7Euser/../x?q=A%20b&k=a|b"
    assert str(url.yarl) == url.text


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://example.com", "http://example.com"),
        ("http://example.com:8080?x", "http://example.com:8080"),
        ("https://example.com:80/", "https://example.com:80"),
        ("http://[2606:4700:0:0:0:0:0:1111]:81/", "http://[2606:4700::1111]:81"),
        ("http://1.1.1.1:80/", "http://1.1.1.1"),
    ],
)
def test_an_origin_is_written_one_way(text: str, origin: str) -> None:
    assert str(parse_url(text).origin) == origin
    assert parse_url(f"{origin}/").origin == parse_url(text).origin


def test_single_label_hosts_need_the_operators_word() -> None:
    assert parse_operator_url("http://vllm:8000/v1").host == "vllm"
    assert parse_url("http://vllm:8000/v1", dotless={"vllm"}).host == "vllm"
    with pytest.raises(EgressRefused, match="no dot"):
        parse_url("http://vllm:8000/v1")


@pytest.mark.parametrize("text", ["http://127.1/", "http://a@b.example/", "http://b.example./", "http://b.example/#x"])
def test_the_operators_urls_follow_the_same_grammar(text: str) -> None:
    with pytest.raises(EgressRefused):
        parse_operator_url(text)


def test_another_path_cannot_lead_to_another_origin() -> None:
    url = parse_url("https://api.example.com/v1")
    assert url.with_target("/v1/chat?x=1").text == "https://api.example.com/v1/chat?x=1"
    assert url.with_target("//evil.example/").yarl.host == "api.example.com"
    for target in ("@evil.example/", ".evil.example/", ":81/", "", "/a b", "/a\r\nX: y", "/\\", "/#", "/\u00e4"):
        with pytest.raises(EgressRefused):
            url.with_target(target)


@pytest.mark.parametrize(
    "text",
    [
        "http://user:hush@example.com/",
        "http://user:hu/hush@example.com/",
        "http:\\\\hush@example.com/",
        "http://example.com/#hush",
        "ftp://example.com/?key=hush",
        "http://example.com/ ?key=hush",
        "hush@example.com",
    ],
)
def test_a_refusal_names_no_secret_and_fits_a_log_line(text: str) -> None:
    with pytest.raises(EgressRefused) as caught:
        parse_url(text)
    assert "hush" not in str(caught.value)
    assert "hush" not in caught.value.url
    assert "\n" not in redact("http://a\r\nb/" + "c" * 900)
    assert len(redact("http://" + "c" * 900)) < 250


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://user@example.com/", "credentials"),
        ("http://example.com\\@x/", "backslash"),
        ("http://example.com/#x", "fragment"),
        ("http://example.com/a b", "white space"),
        ("http://b\u00fccher.example/", "xn--"),
        ("http://xn--a.example/", "IDNA"),
        ("http://[fe80::1%25eth0]/", "zone id"),
        ("http://0x7f.1/", "four decimal numbers"),
        ("http://example.com./", "ends with a dot"),
        ("http://router/", "no dot"),
        ("http:///x", "empty"),
        ("http://example.com:0/", "port"),
        ("ftp://example.com/", "http:// or https://"),
    ],
)
def test_a_refusal_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(EgressRefused) as caught:
        parse_url(text)
    assert reason in caught.value.reason


def test_a_url_is_printed_without_its_query() -> None:
    url = parse_url("https://example.com/x?key=hush")
    assert "hush" not in f"{url} {url!r}"


def test_a_url_cannot_be_changed() -> None:
    url = parse_url("https://example.com/x")
    with pytest.raises(AttributeError):
        url.origin = Origin("http", "localhost", 80)  # type: ignore[misc]
    assert isinstance(url, Url)


def test_an_endless_url_is_refused() -> None:
    with pytest.raises(EgressRefused, match="longer"):
        parse_url("http://example.com/" + "a" * 20_000)
