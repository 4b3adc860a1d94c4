"""However many keys, users and models there are, label sets stay few, sums stay whole, and a counter says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from routeiq_prometheus.config import PrometheusConfig
from routeiq_prometheus.plugin import Prometheus
from routeiq_sdk import Context, Deployment, ModelGroup, Outcome, Plugin, Principal, Record, Usage
from routeiq_sdk.testing import FakeGateway, call_hook, make_context, make_record
from routeiq_sdk.testing.plugin import running
from routeiq_sdk.values.http import Handler, Headers, HttpRequest

from .conftest import Scraped

OK = Outcome(1, "small-1", "openai", "small", "ok", 200, 200.0, True, 95.0, Usage(12, 34), 14_800, group="small")


def answered(number: int, **fields: object) -> tuple[Context, Record]:
    """A request of a key of its own."""
    attributes = cast(dict[str, object], fields.pop("attributes", {}))
    principal = Principal(f"hash-{number}", alias=f"alias-{number}", attributes=attributes)
    told = {"principal": principal.id, "key_alias": principal.alias, "attempts": (OK,), "group": "small", **fields}
    return make_context(principal=principal), make_record(f"r-{number}", **told)


def routes_of(plugin: Plugin[Any]) -> dict[str, Handler]:
    """The handlers that it serves, by path."""
    found: dict[str, Handler] = {}

    class Table:
        def add(self, method: str, path: str, handler: Handler, **more: object) -> None:
            found[path] = handler

    plugin.register_routes(Table())  # type: ignore[attr-defined]
    return found


async def page_of(
    records: list[tuple[Context, Record]],
    scraped: Callable[..., Scraped],
    groups: Sequence[ModelGroup] = (),
    **config: object,
) -> tuple[Scraped, bytes]:
    """The page after these records."""
    gateway = FakeGateway("prometheus", groups=groups)
    async with running(Prometheus(PrometheusConfig.model_validate(config)), gateway) as plugin:
        for ctx, record in records:
            await call_hook(plugin, "record", ctx, record)
        request = HttpRequest("GET", "/metrics", {}, {}, Headers([]), b"", None)
        answer = await routes_of(plugin)["/metrics"](request)
        assert isinstance(answer.body, bytes)
        return scraped(answer.body.decode()), answer.body


async def test_too_many_keys_become_other_and_nothing_is_lost(scraped_text: Callable[..., Scraped]) -> None:
    page, _ = await page_of([answered(number) for number in range(500)], scraped_text, most_series=40)
    for name in ("litellm_spend_metric_total", "litellm_proxy_total_requests_metric_total"):
        sets = list(page.samples(name))
        assert len(sets) <= 40
        assert any(sample.labels["hashed_api_key"] == "other" for sample in sets)
        assert any(sample.labels["hashed_api_key"] == "hash-0" for sample in sets)
    assert page.sum("litellm_proxy_total_requests_metric_total") == 500
    assert page.sum("litellm_spend_metric_total") == pytest.approx(500 * 14_800e-9)
    others = page.one("litellm_proxy_total_requests_metric_total", hashed_api_key="other")
    assert page.sum("routeiq_label_sets_folded_total") == others.value == 470
    assert (others.labels["api_key_alias"], others.labels["model_id"]) == ("other", "small-1")
    assert page.one("routeiq_label_sets").value == 31


async def test_even_bounded_labels_cannot_pass_the_cap(scraped_text: Callable[..., Scraped]) -> None:
    records = [
        answered(number, route=f"/v{number}", error_type=f"e{number}", model=f"m{number}", status=400)
        for number in range(300)
    ]
    page, _ = await page_of(records, scraped_text, most_series=20)
    assert len(list(page.samples("litellm_proxy_total_requests_metric_total"))) <= 20
    assert page.sum("litellm_proxy_failed_requests_metric_total") == 300
    assert page.sum("routeiq_requests_total") == 300


async def test_names_that_a_wildcard_matches_give_way_to_those_that_are_served(
    scraped_text: Callable[..., Scraped],
) -> None:
    wild = [
        answered(0, requested_model=f"any/{number}", group=f"any/{number}", model=f"m{number}", deployment_id="any")
        for number in range(100)
    ]
    page, _ = await page_of([*wild, *(answered(number) for number in range(50))], scraped_text, most_series=20)
    assert page.one("routeiq_requests_total", model="small").value == 50
    assert page.sum("routeiq_requests_total", model="other") == 85
    assert len(list(page.samples("litellm_proxy_total_requests_metric_total"))) == 17


async def test_a_password_in_an_api_base_is_no_label(scraped_text: Callable[..., Scraped]) -> None:
    deployment = Deployment(
        "small-1", "small", "openai", "small", "openai", "https://ann:secret@example.com:8/v1?key=secret"
    )
    groups = [ModelGroup("small", (deployment,))]
    page, body = await page_of([answered(0)], scraped_text, groups=groups)
    assert page.one("litellm_deployment_state").labels["api_base"] == "https://example.com:8/v1"
    assert page.one("litellm_deployment_success_responses_total").labels["api_base"] == "https://example.com:8/v1"
    assert b"secret" not in body


async def test_models_that_nobody_serves_share_one_label(scraped_text: Callable[..., Scraped]) -> None:
    unknown = {"attempts": (), "group": None, "deployment_id": None, "model": None, "stage": "route", "status": 400}
    records = [answered(0, requested_model=f"nobody-{number}", **unknown) for number in range(50)]
    page, _ = await page_of(records, scraped_text)
    assert page.one("litellm_proxy_total_requests_metric_total").labels["requested_model"] == "other"


async def test_end_users_and_clients_are_no_labels_unless_asked_for(scraped_text: Callable[..., Scraped]) -> None:
    records = [answered(0, end_user=f"user-{number}", client=f"10.0.0.{number}") for number in range(50)]
    page, _ = await page_of(records, scraped_text)
    told = page.one("litellm_proxy_total_requests_metric_total").labels
    assert (told["end_user"], told["client_ip"], told["user_agent"]) == ("None", "None", "None")
    page, _ = await page_of(records, scraped_text, end_users_on=True, client_labels=True)
    assert len(list(page.samples("litellm_proxy_total_requests_metric_total"))) == 50
    page, _ = await page_of(records, scraped_text, end_users_on=True, end_users_off=True)
    assert page.one("litellm_proxy_total_requests_metric_total").labels["end_user"] == "None"


async def test_metadata_of_keys_becomes_labels_when_asked_for(scraped_text: Callable[..., Scraped]) -> None:
    metadata = {"cost": {"centre": "A1"}, "le": "x", "number": 7}
    record = answered(0, attributes={"metadata": metadata, "team_alias": "Blue", "user_email": "a@example.com"})
    page, _ = await page_of([record], scraped_text, metadata_labels=["metadata.cost.centre", "number", "le", "team"])
    told = page.one("litellm_spend_metric_total").labels
    assert (told["metadata_cost_centre"], told["number"]) == ("A1", "None")
    assert (told["team_alias"], told["user_email"], told["team"]) == ("Blue", "a@example.com", "None")


@pytest.mark.parametrize("text", ['a"b', "a\\b", "a\nb", "\\n", "ü€😀", "x" * 5000, "\ud800", "a\r\u2028b"])
async def test_whatever_a_label_holds_the_page_can_be_read(text: str, scraped_text: Callable[..., Scraped]) -> None:
    page, _ = await page_of([answered(0, team=text)], scraped_text)
    read = page.one("routeiq_cost_usd_total").labels["team"]
    assert read == text[:200].replace("\ud800", "?").replace("\r", "").replace("\u2028", "")


async def test_a_record_after_the_teardown_does_no_harm() -> None:
    plugin = Prometheus(PrometheusConfig())
    ctx, record = answered(0)
    async with running(plugin, FakeGateway("prometheus")):
        plugin.record(ctx, record)
    plugin.record(ctx, record)


def test_configuration_that_says_nonsense_is_refused() -> None:
    nonsense: tuple[dict[str, object], ...] = (
        {"latency_buckets": [2, 1]},
        {"latency_buckets": [0]},
        {"latency_buckets": []},
        {"most_series": 1},
    )
    for said in nonsense:
        with pytest.raises(ValueError, match=r"latency_buckets|most_series"):
            PrometheusConfig.model_validate(said)
    assert PrometheusConfig.model_validate({"latency_buckets": [1, float("inf")]}).latency_buckets == (1,)
