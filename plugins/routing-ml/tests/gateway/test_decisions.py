"""Decisions of a trained router in a whole gateway: what is chosen, why, and how a client steers it."""

from __future__ import annotations

import pytest

from .gateway_cases import GOOD_AT, explain, question


@pytest.mark.parametrize("kind", GOOD_AT)
async def test_each_kind_of_question_goes_to_the_model_that_is_good_at_it(serve, publish, trained, kind: str) -> None:
    gateway = await serve(artifact=str(publish(trained)), profile="quality")
    status, headers, _ = await gateway.chat("auto", question(kind, 1234))
    assert (status, headers["x-routeiq-model"], headers["x-routeiq-strategy"]) == (200, GOOD_AT[kind], "knn")


async def test_the_record_under_the_answers_decision_id_explains_the_choice(serve, publish, trained) -> None:
    gateway = await serve(artifact=str(publish(trained)), profile="quality")
    _, headers, _ = await gateway.chat("auto", question("math"))
    await gateway.recorded(1)
    async with gateway.session.get(f"/routeiq/v1/decisions/{headers['x-routeiq-decision-id']}") as response:
        decision = (await response.json())["decision"]
    assert decision["candidates"][0]["model"] == "sage"
    assert "sage has the best expected answer" in decision["reason"]
    assert decision["propensity"] == 1.0
    for candidate in decision["candidates"]:
        assert 0 <= candidate["quality"] <= 1
        assert candidate["cost"] > 0
        assert candidate["uncertainty"] >= 0
    assert decision["attributes"]["profile"] == "quality"
    assert decision["attributes"]["margin"] > 0


async def test_the_explanation_shows_neighbours_and_calls_nobody(serve, publish, trained, scripted_upstream) -> None:
    gateway = await serve(artifact=str(publish(trained)))
    told = await explain(gateway, question("code"))
    neighbours = told["decision"]["attributes"]["neighbours"]
    assert len(neighbours) == 5
    assert neighbours[0]["similarity"] >= neighbours[-1]["similarity"] > 0.5
    assert all(len(neighbour["scores"]) == 3 for neighbour in neighbours)
    assert scripted_upstream.requests == []


async def test_a_concrete_model_is_honoured(serve, publish, trained) -> None:
    gateway = await serve(artifact=str(publish(trained)))
    _, headers, _ = await gateway.chat("chatty", question("math"))
    assert headers["x-routeiq-model"] == "chatty"


async def test_a_client_names_its_profile_or_its_own_lambda(serve, publish, trained) -> None:
    gateway = await serve(artifact=str(publish(trained)), profile="quality")
    text = question("math")
    assert (await explain(gateway, text))["model"] == "sage"
    dear = {"x-routeiq-lambda": "100000"}
    for headers, body in ((dear, {}), ({}, {"routeiq": {"lambda": 100000}})):
        told = await explain(gateway, text, headers, **body)
        assert told["model"] == "chatty"
        assert told["decision"]["attributes"]["lambda"] == 100000
        assert told["decision"]["attributes"]["profile_by"] == "client"
    told = await explain(gateway, text, {"x-routeiq-profile": "floor"})
    assert told["decision"]["attributes"]["profile"] == "floor"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"x-routeiq-profile": "cheap"}, {}),
        ({"x-routeiq-lambda": "-1"}, {}),
        ({"x-routeiq-lambda": "nan"}, {}),
        ({}, {"routeiq": {"profile": 7}}),
        ({}, {"routeiq": {"lambda": True}}),
    ],
)
async def test_a_wish_that_is_none_is_the_clients_error(serve, publish, trained, headers, body) -> None:
    gateway = await serve(artifact=str(publish(trained)))
    fields = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], **body}
    async with gateway.session.post("/v1/chat/completions", json=fields, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["error"]["param"].startswith("routeiq")


async def test_where_clients_may_not_choose_their_word_is_not_heard(serve, publish, trained) -> None:
    gateway = await serve(artifact=str(publish(trained)), profile="quality", client_profile=False)
    told = await explain(gateway, question("math"), {"x-routeiq-lambda": "100000"})
    assert (told["model"], told["decision"]["attributes"]["profile_by"]) == ("sage", "default")


async def test_training_names_are_mapped_to_groups(serve, publish, trained) -> None:
    names = {"chatty": "coder", "coder": "chatty"}
    gateway = await serve(artifact=str(publish(trained)), profile="quality", models=names)
    assert (await explain(gateway, question("code")))["model"] == "chatty"


async def test_a_group_that_the_router_does_not_know_comes_last(serve, publish, trained) -> None:
    gateway = await serve(artifact=str(publish(trained)), models={"sage": "somewhere else"})
    told = await explain(gateway, question("math"))
    assert told["ranked"][-1] == "sage"
    assert told["decision"]["candidates"][-1]["reason"] == "not known to the router"


async def test_a_pool_of_strangers_is_left_to_the_default_model(serve, publish, trained) -> None:
    elsewhere = dict.fromkeys(GOOD_AT.values(), "somewhere else")
    gateway = await serve(artifact=str(publish(trained)), models=elsewhere)
    told = await explain(gateway, question("math"))
    assert (told["model"], told["decision"]["strategy"]) == ("chatty", "static")


async def test_what_is_not_clearly_better_is_left_to_the_default_model(serve, publish, trained) -> None:
    gateway = await serve(artifact=str(publish(trained)), profile="quality", margin=1.0, default_model="coder")
    told = await explain(gateway, question("math"))
    assert told["model"] == "coder"
    assert told["decision"]["attributes"]["abstained"] is True
    assert "not clearly better" in told["reason"]


async def test_a_virtual_model_may_name_the_strategy(serve, publish, trained, reversed_trained) -> None:
    both = {"other": str(publish(reversed_trained, "other"))}
    gateway = await serve(
        artifact=str(publish(trained)), artifacts=both, profile="quality", virtual={"strategy": "llmrouter-ridge"}
    )
    told = await explain(gateway, question("math"))
    assert (told["model"], told["decision"]["strategy"]) == ("coder", "ridge")


async def test_a_strategy_without_an_artifact_of_its_kind_leaves_the_default_model(serve, publish, trained) -> None:
    gateway = await serve(artifact=str(publish(trained)), virtual={"strategy": "mlp"})
    assert (await explain(gateway, question("math")))["model"] == "chatty"


@pytest.mark.parametrize(("strategy", "model"), [("smallest", "chatty"), ("llmrouter-largest", "sage")])
async def test_smallest_and_largest_go_by_price(gateway, scripted_upstream, strategy: str, model: str) -> None:
    from routeiq_testkit.gateway import openai_row

    prices = {"chatty": 1e-6, "coder": 2e-6, "sage": 9e-6}
    rows = [
        openai_row(name, scripted_upstream.base_url, name, input_cost_per_token=price, output_cost_per_token=price)
        for name, price in prices.items()
    ]
    virtual = {"auto": {"models": ["coder", "sage", "chatty"], "strategy": strategy}}
    running = await gateway({"model_list": rows, "routeiq": {"virtual_models": virtual, "plugins": {"routing-ml": {}}}})
    assert (await explain(running, "hello"))["model"] == model


async def test_llmrouters_names_choose_a_deployment_within_a_group(
    gateway, scripted_upstream, publish, trained, keys
) -> None:
    from routeiq_testkit.gateway import openai_row

    rows = [openai_row("any", scripted_upstream.base_url, name) for name in GOOD_AT.values()]
    settings = {"routing_strategy": "llmrouter-knn", "routing_strategy_args": {"model_path": str(publish(trained))}}
    plugins = {"routing-ml": {"trusted_keys": [keys.public], "profile": "quality"}, "routing-classic": {}}
    running = await gateway({"model_list": rows, "router_settings": settings, "routeiq": {"plugins": plugins}})
    for kind, model in GOOD_AT.items():
        _, headers, _ = await running.chat("any", question(kind, 55))
        assert headers["x-litellm-model-name"] == f"openai/{model}"


async def test_live_prices_are_laid_over_expected_tokens(gateway, scripted_upstream, publish, keys) -> None:
    import numpy as np

    from routeiq_routing_ml.training.trainer import Settings, train
    from routeiq_testkit.gateway import openai_row

    from .gateway_cases import MODELS, table

    data = table()
    counted = type(data).of(
        data.texts, data.models, data.quality, data.cost, tokens_out=np.full(data.quality.shape, 100.0)
    )
    rows = [
        openai_row(name, scripted_upstream.base_url, name, input_cost_per_token=0, output_cost_per_token=1e-6)
        for name in MODELS
    ]
    plugins = {
        "routing-ml": {"artifact": str(publish(train(counted, Settings("ridge")))), "trusted_keys": [keys.public]}
    }
    virtual = {"auto": {"models": list(MODELS)}}
    running = await gateway({"model_list": rows, "routeiq": {"virtual_models": virtual, "plugins": plugins}})
    told = await explain(running, question("chat"))
    assert [candidate["cost"] for candidate in told["decision"]["candidates"]] == [100_000] * 3
