"""Experiments, shadows, exploration, feedback, corrections and the bandit, in a whole gateway."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from routeiq_testkit import Reply

from .gateway_cases import explain, question


async def feedback(gateway: Any, decision: str, score: Any, **headers: str) -> tuple[int, Any]:
    body = {"decision_id": decision, "score": score}
    async with gateway.session.post("/routeiq/v1/feedback", json=body, headers=headers) as response:
        return response.status, await response.json()


async def routers(gateway: Any) -> Any:
    async with gateway.session.get("/routeiq/v1/routers") as response:
        return await response.json()


async def asked(gateway: Any, text: str, **fields: Any) -> tuple[str, str]:
    """The decision's id and the model that answered; the record is written before it returns."""
    before = len(gateway.records())
    status, headers, _ = await gateway.chat("auto", text, **fields)
    assert status == 200
    await gateway.recorded(before + 1)
    return headers["x-routeiq-decision-id"], headers["x-routeiq-model"]


async def test_an_experiment_deals_units_for_good_and_the_record_says_so(
    serve, publish, trained, reversed_trained
) -> None:
    experiment = {"id": "spring", "by": "session", "variants": [{"router": "main"}, {"router": "other", "weight": 3}]}
    gateway = await serve(
        artifact=str(publish(trained)),
        artifacts={"other": str(publish(reversed_trained, "other"))},
        experiment=experiment,
        profile="quality",
    )
    seen: dict[str, set[str]] = {}
    variants: Counter[str] = Counter()
    for session in range(40):
        for _ in range(2):
            told = await explain(gateway, question("math"), {"x-litellm-session-id": f"s{session}"})
            recorded = told["decision"]["attributes"]["experiment"]
            seen.setdefault(f"s{session}", set()).add(told["model"])
        variants[recorded["variant"]] += 1
        assert (recorded["experiment_id"], recorded["hash_key_type"], recorded["total_weight"]) == (
            "spring",
            "session",
            4,
        )
        assert told["model"] == {"main": "sage", "other": "coder"}[recorded["variant"]]
    assert all(len(models) == 1 for models in seen.values())
    assert 20 <= variants["other"] <= 39


async def test_a_shadow_decides_in_silence(serve, publish, trained, reversed_trained) -> None:
    other = {"other": str(publish(reversed_trained, "other"))}
    gateway = await serve(artifact=str(publish(trained)), artifacts=other, shadow=["other"], profile="quality")
    _, model = await asked(gateway, question("math"))
    assert model == "sage"
    async with asyncio.timeout(10):
        while not (await routers(gateway))["shadows"]["other"]["decisions"]:
            await asyncio.sleep(0.02)
    assert (await routers(gateway))["shadows"]["other"] == {"decisions": 1, "agreed": 0}


async def test_exploration_is_off_by_default_and_states_its_odds_when_on(serve, publish, trained) -> None:
    gateway = await serve(artifact=str(publish(trained)), profile="quality", explore=0.5, seed=3)
    propensities: dict[str, set[float]] = {}
    for number in range(40):
        told = await explain(gateway, question("math", number))
        propensities.setdefault(told["model"], set()).add(round(told["decision"]["propensity"], 6))
    assert propensities["sage"] == {round(0.5 + 0.5 / 3, 6)}
    assert propensities["chatty"] | propensities["coder"] == {round(0.5 / 3, 6)}


async def test_feedback_is_taken_once_and_from_the_caller_alone(serve, publish, trained, plugin_folder) -> None:
    keys = """
    from typing import Any
    from routeiq_sdk import Context, Plugin, PluginConfig, Principal, hookimpl
    class Fixture(Plugin[PluginConfig]):
        @hookimpl
        async def authenticate(self, ctx: Context) -> Any:
            key = (ctx.headers.get("authorization") or "").removeprefix("Bearer ")
            return Principal(key) if key in ("anna", "ben") else None
    """
    plugin_folder.install("keys", keys)
    gateway = await serve(plugins={"keys": {}}, artifact=str(publish(trained)), profile="quality")
    body = {"model": "auto", "messages": [{"role": "user", "content": question("math")}]}
    async with gateway.session.post(
        "/v1/chat/completions", json=body, headers={"authorization": "Bearer anna"}
    ) as response:
        decision = response.headers["x-routeiq-decision-id"]
    await gateway.recorded(1)
    assert (await feedback(gateway, decision, 1, authorization="Bearer ben"))[0] == 404
    assert (await feedback(gateway, decision, 2, authorization="Bearer anna"))[0] == 400
    status, told = await feedback(gateway, decision, 1, authorization="Bearer anna")
    assert (status, told["model"], told["learned"]) == (200, "sage", False)
    assert (await feedback(gateway, decision, 0, authorization="Bearer anna"))[0] == 409
    assert (await feedback(gateway, "dec-unknown", 1))[0] == 404
    assert (await feedback(gateway, decision, 1, authorization="Bearer nobody"))[0] == 401


async def test_the_model_that_answered_is_scored_also_after_a_fallback(
    serve, publish, trained, scripted_upstream
) -> None:
    gateway = await serve(artifact=str(publish(trained)), profile="quality")
    scripted_upstream.script_for("sage", Reply.error(500))
    decision, model = await asked(gateway, question("math"))
    assert model != "sage"
    assert (await feedback(gateway, decision, 0.5))[1]["model"] == model


async def test_bad_scores_turn_the_choice(serve, publish, trained) -> None:
    gateway = await serve(artifact=str(publish(trained)), profile="quality", adaptive={"enabled": True})
    model, count = "sage", 0
    while model == "sage" and count < 400:
        decision, model = await asked(gateway, question("math", count))
        assert (await feedback(gateway, decision, 0.0))[1]["learned"] is True
        count += 1
    assert model != "sage"
    assert (await routers(gateway))["corrections"]["main"] == count
    assert (await explain(gateway, question("code")))["model"] == "coder"


async def test_what_feedback_taught_outlives_the_process(tmp_path, trained) -> None:
    from pathlib import Path

    from routeiq_routing_ml.config import MlConfig
    from routeiq_routing_ml.model.doubt import directions
    from routeiq_routing_ml.model.packing import Packed
    from routeiq_routing_ml.serving.learning import Learning
    from routeiq_routing_ml.serving.loading import Loaded
    from routeiq_sdk.testing import FakeGateway

    class Kept(FakeGateway):
        data_dir = Path(tmp_path)

    packed = Packed(trained.router, trained.router, None, None, trained.settings.policy, trained.weights)
    loaded = Loaded("main", "knn", 1, "digest", packed)
    config = MlConfig(adaptive={"enabled": True})
    z = directions(trained.router.points([question("math")]))
    learning = Learning(config, Kept())
    corrections = learning.corrector(loaded)
    for _ in range(7):
        corrections.learn(z[0], 2, -0.9)
    learning.close()
    again = Learning(config, Kept()).corrector(loaded)
    assert again.outcomes == 7
    assert (again.correct(z) == corrections.correct(z)).all()
    other = Learning(config, Kept()).corrector(Loaded("main", "knn", 2, "another digest", packed))
    assert other.outcomes == 0


async def test_the_bandit_learns_a_pool_without_data_from_scores_alone(serve) -> None:
    gateway = await serve(bandit=True, seed=11, profile="quality", virtual={"strategy": "bandit"})
    called: list[str] = []
    for number in range(150):
        decision, model = await asked(gateway, question("chat", number))
        called.append(model)
        await feedback(gateway, decision, 1.0 if model == "coder" else 0.0)
    assert Counter(called[-50:])["coder"] > 2 * Counter(called[:50])["coder"] / 3
    assert Counter(called[-50:]).most_common(1)[0][0] == "coder"
    told = await explain(gateway, question("chat"))
    assert told["decision"]["strategy"] == "bandit"
    assert 0 < told["decision"]["propensity"] <= 1
    assert (await routers(gateway))["bandit"]["outcomes"] == 150
