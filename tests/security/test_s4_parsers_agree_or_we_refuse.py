"""S4: no text sends us to one host and another parser to a second one. The benchmark `egress` asks a million times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq.egress import EgressRefused

from .hostile import all_urls
from .url_fuzz import count, disagreement, made_up

CASES = 20_000
HOSTISH = st.text(st.sampled_from("abcxz019.-_:@/\\#?%[]~ \t\r\n\u3002\u200b\u2100"), max_size=40)


@pytest.mark.parametrize("seed", [1, 2])
def test_made_up_urls_are_read_alike_or_refused(seed: int) -> None:
    taken, wrong = count(made_up(seed), CASES)
    assert wrong == []
    assert taken > CASES // 10, "too few were taken to say anything"


@given(st.builds("{}{}".format, st.sampled_from(["http://", "https://"]), HOSTISH))
def test_any_text_after_the_scheme_is_read_alike_or_refused(text: str) -> None:
    try:
        assert disagreement(text) is None
    except EgressRefused:
        pass


def test_the_corpus_is_read_alike_or_refused() -> None:
    for template in all_urls():
        try:
            assert disagreement(template.replace("{port}", "8080")) is None
        except EgressRefused:
            pass


def test_the_comparison_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    from routeiq.egress import Origin, Url

    from . import url_fuzz

    monkeypatch.setattr(url_fuzz, "parse_url", lambda text: Url(Origin("http", "example.com", 80), "/", False))
    found = url_fuzz.disagreement("http://example.com\\@127.0.0.1/")
    assert found is not None
    assert "127.0.0.1" in found
