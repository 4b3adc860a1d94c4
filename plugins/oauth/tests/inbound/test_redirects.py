"""Redirect addresses: what matches is what was registered, whatever anybody writes."""

from __future__ import annotations

from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from routeiq_oauth.server.redirects import check_redirect_uri, is_registered

WEB, LOCAL, APP = "https://editor.example/callback", "http://127.0.0.1/cb", "com.example.desk:/cb"
_HOSTS = ("editor.example", "127.0.0.1", "localhost", "evil.example", "[::1]", "com.example.desk:", "javascript:")
_MARKS = ("https://", "http://", "@", ":", "/", "\\", "#", "?", "//", "..", "%2f", " ", "\t", "\n")
_PIECES = st.sampled_from((*_HOSTS, *_MARKS, "callback", "cb", "80", "8080"))
written = st.lists(_PIECES, max_size=8).map("".join) | st.text(max_size=40)


@given(written)
def test_only_the_port_of_loopback_may_differ(uri: str) -> None:
    if is_registered(uri, (WEB, LOCAL, APP)) and uri not in (WEB, LOCAL, APP):
        parts = urlsplit(uri)
        assert (parts.scheme, parts.hostname, parts.path, parts.query, parts.fragment) == (
            "http",
            "127.0.0.1",
            "/cb",
            "",
            "",
        )
        assert "@" not in uri
        assert "#" not in uri


@given(written)
def test_what_may_be_registered_leads_to_one_place(uri: str) -> None:
    try:
        check_redirect_uri(uri)
    except ValueError:
        return
    assert uri.isascii()
    assert not set(uri) & set(' \t\r\n\\"<>#')
    parts = urlsplit(uri)
    assert parts.scheme not in ("javascript", "data", "file", "blob", "about", "vbscript")
    if parts.scheme == "http":
        assert parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme == "https":
        assert parts.hostname


def test_ports_of_loopback() -> None:
    assert is_registered("http://127.0.0.1:49152/cb", (LOCAL,))
    assert is_registered("http://[::1]:9/cb", ("http://[::1]:1/cb",))
    assert not is_registered("https://editor.example:8443/callback", (WEB,))
