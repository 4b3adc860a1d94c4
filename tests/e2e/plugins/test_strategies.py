"""Strategies that plugins offer by name: for virtual models, and for the deployments of a group."""

from __future__ import annotations

import pytest

from routeiq_sdk import ConfigError
from routeiq_testkit.gateway import openai_row

DEAREST = """
@hookimpl
def register_strategies(self, strategies: Any) -> None:
    strategies.add_model_strategy("backwards", self)
    strategies.add_deployment_strategy("last", self)

async def rank(self, ctx: Context, groups: Any) -> Any:
    if self.config.tag == "fail":
        raise RuntimeError("the inner reason")
    if self.config.tag == "wrong":
        return Decision("backwards", (Candidate("nobody", 1.0),))
    ranked = sorted(groups, key=lambda group: group.name, reverse=True)
    candidates = tuple(Candidate(group.name, -place, reason="by name") for place, group in enumerate(ranked))
    return Decision("backwards", candidates, "the alphabet, backwards", propensity=0.5, version="7")

def pick(self, ctx: Context, group: Any, deployments: Any) -> Any:
    return deployments[-1] if self.config.tag != "abstain" else None
"""
VIRTUAL = {"virtual_models": {"auto": {"models": ["fast", "strong"], "strategy": "backwards"}}}


async def test_a_virtual_model_names_its_strategy_and_the_record_says_why(bench) -> None:
    gateway = await bench.serve({"back": DEAREST}, routeiq=VIRTUAL)
    status, headers, body = await gateway.chat("auto")
    assert (status, body["model"]) == (200, "auto")
    assert (headers["x-routeiq-strategy"], headers["x-routeiq-model"]) == ("backwards", "strong")
    async with gateway.session.get(f"/routeiq/v1/decisions/{headers['x-routeiq-decision-id']}") as response:
        record = await response.json()
    decision = record["decision"]
    assert [candidate["model"] for candidate in decision["candidates"]] == ["strong", "fast"]
    assert (decision["reason"], decision["propensity"], decision["version"]) == ("the alphabet, backwards", 0.5, "7")


async def test_the_other_candidates_are_the_order_of_retreat(bench) -> None:
    from routeiq_testkit import Reply

    gateway = await bench.serve({"back": DEAREST}, routeiq=VIRTUAL)
    bench.up.script_for("model-strong", Reply.error(500))
    status, headers, _ = await gateway.chat("auto")
    assert (status, headers["x-routeiq-model"]) == (200, "fast")
    assert headers["x-litellm-attempted-fallbacks"] == "1"


@pytest.mark.parametrize("how", ["fail", "wrong"])
async def test_a_named_strategy_that_fails_leaves_a_static_choice(bench, how: str) -> None:
    gateway = await bench.serve({"back": DEAREST}, routeiq={**VIRTUAL, "plugins": {"back": {"tag": how}}})
    status, headers, _ = await gateway.chat("auto")
    assert (status, headers["x-routeiq-strategy"], headers["x-routeiq-model"]) == (200, "static", "fast")


async def test_a_deployment_strategy_is_chosen_by_routing_strategy(bench) -> None:
    rows = [openai_row("twin", bench.up.base_url, f"model-{n}") for n in (1, 2, 3)]
    gateway = await bench.serve(
        {"back": DEAREST},
        model_list=rows,
        router_settings={"routing_strategy": "last", "num_retries": 0},
        routeiq={"virtual_models": {}},
    )
    for _ in range(5):
        assert (await gateway.chat("twin"))[0] == 200
    assert {request.model for request in bench.up.requests} == {"model-3"}


async def test_a_deployment_strategy_that_abstains_leaves_the_first(bench) -> None:
    rows = [openai_row("twin", bench.up.base_url, f"model-{n}") for n in (1, 2)]
    gateway = await bench.serve(
        {"back": DEAREST},
        model_list=rows,
        router_settings={"routing_strategy": "last", "num_retries": 0},
        routeiq={"virtual_models": {}, "plugins": {"back": {"tag": "abstain"}}},
    )
    assert (await gateway.chat("twin"))[0] == 200
    assert [request.model for request in bench.up.requests] == ["model-1"]


async def test_a_strategy_that_breaks_while_picking_does_not_break_the_request(bench) -> None:
    breaking = DEAREST.replace("return deployments[-1]", "1 / 0; return deployments[-1]")
    rows = [openai_row("twin", bench.up.base_url, f"model-{n}") for n in (1, 2)]
    gateway = await bench.serve(
        {"back": breaking},
        model_list=rows,
        router_settings={"routing_strategy": "last", "num_retries": 0},
        routeiq={"virtual_models": {}},
    )
    assert (await gateway.chat("twin"))[0] == 200


async def test_select_deployment_may_pick_only_what_it_was_offered(bench) -> None:
    picks = """
    @hookimpl
    def select_deployment(self, ctx: Context, group: Any, deployments: Any) -> Any:
        return deployments[-1] if self.config.tag == "offered" else "another"
    """
    rows = [openai_row("twin", bench.up.base_url, f"model-{n}") for n in (1, 2)]
    block = {"virtual_models": {}, "plugins": {"odd": {"tag": "odd"}, "good": {"tag": "offered"}}}
    gateway = await bench.serve({"odd": picks, "good": picks}, model_list=rows, routeiq=block)
    for _ in range(5):
        assert (await gateway.chat("twin"))[0] == 200
    assert {request.model for request in bench.up.requests} == {"model-2"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"routeiq": VIRTUAL}, "which no loaded plugin offers"),
        ({"router_settings": {"routing_strategy": "last"}}, "install and name the plugin routing-classic"),
    ],
    ids=["virtual model", "deployments"],
)
async def test_a_strategy_that_nobody_offers_stops_the_start(bench, changes: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"routeiq\.yaml:\d+: .*{said}"):
        await bench.serve({}, **changes)
