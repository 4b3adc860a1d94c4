"""The gates fire in the order of the picture, and inside a gate plugins come in the order that names give."""

from __future__ import annotations

EVERYTHING = """
@hookimpl
async def setup(self, gateway: Gateway) -> None:
    note("setup")

@hookimpl
async def teardown(self) -> None:
    note("teardown")

@hookimpl
def register_routes(self, routes: Any) -> None:
    note("register_routes")

@hookimpl
def register_strategies(self, strategies: Any) -> None:
    note("register_strategies")

@hookimpl
def register_embedders(self, embedders: Any) -> None:
    note("register_embedders")

@hookimpl
async def health_check(self) -> Health:
    note("health_check")
    return Health()

@hookimpl
async def admit(self, ctx: Context) -> None:
    note("admit")

@hookimpl
async def authenticate(self, ctx: Context) -> None:
    note("authenticate")

@hookimpl
async def authorize(self, ctx: Context) -> None:
    note("authorize")

@hookimpl
async def guard_request(self, ctx: Context) -> None:
    note("guard_request")

@hookimpl
async def select_model(self, ctx: Context, groups: Any) -> Decision:
    note("select_model")
    return Decision("fixture", tuple(Candidate(group.name, 1.0) for group in groups), "as they come")

@hookimpl
async def reserve(self, ctx: Context, ranked: Any) -> None:
    note("reserve")

@hookimpl
def authorize_target(self, ctx: Context, deployment: Deployment) -> None:
    note("authorize_target " + deployment.model)

@hookimpl
async def filter_deployments(self, ctx: Context, group: Any, deployments: Any) -> None:
    note("filter_deployments " + group.name)

@hookimpl
def select_deployment(self, ctx: Context, group: Any, deployments: Any) -> None:
    note("select_deployment")

@hookimpl
async def before_attempt(self, ctx: Context, attempt: Attempt) -> None:
    note("before_attempt")

@hookimpl
async def guard_during(self, ctx: Context) -> None:
    note("guard_during")

@hookimpl
def stream_filter(self, ctx: Context) -> None:
    note("stream_filter")

@hookimpl
async def guard_response(self, ctx: Context, response: Any) -> None:
    note("guard_response")

@hookimpl
async def after_attempt(self, ctx: Context, outcome: Outcome) -> None:
    note("after_attempt")

@hookimpl
def record(self, ctx: Context, record: Record) -> None:
    note("record")

@hookimpl
async def settle(self, ctx: Context, usage: Any) -> None:
    note("settle")
"""
START = ["register_embedders", "register_strategies", "register_routes", "setup"]
TO_THE_CALL = [
    "admit",
    "authenticate",
    "authorize",
    "guard_request",
    "authorize_target model-fast",
    "filter_deployments fast",
    "authorize_target model-strong",
    "filter_deployments strong",
    "select_model",
    "reserve",
    "authorize_target model-fast",
    "filter_deployments fast",
    "authorize_target model-fast",
    "before_attempt",
]


async def walked(bench, gateway) -> list[str]:
    """What was noted for one request. `guard_during` runs beside the call, so it is looked at on its own."""
    await gateway.app.shared.background.finish(5.0)
    noted = bench.journal[len(START) :]
    place = noted.index("guard_during")
    assert noted.index("reserve") < place < noted.index("after_attempt")
    return [hook for hook in noted if hook != "guard_during"]


async def test_a_plain_request_meets_the_gates_in_the_order_of_the_picture(bench) -> None:
    gateway = await bench.serve({"all": EVERYTHING})
    status, headers, _ = await gateway.chat("auto")
    assert status == 200
    assert headers["x-routeiq-strategy"] == "fixture"
    assert bench.journal[: len(START)] == START
    after = ["guard_response", "after_attempt", "record", "settle"]
    assert await walked(bench, gateway) == [*TO_THE_CALL, *after]


async def test_a_stream_meets_filters_where_a_plain_answer_meets_guards(bench) -> None:
    gateway = await bench.serve({"all": EVERYTHING})
    status, _, body = await gateway.stream("auto")
    assert status == 200
    assert body.endswith(b"data: [DONE]\n\n")
    assert await walked(bench, gateway) == [*TO_THE_CALL, "stream_filter", "after_attempt", "record", "settle"]


async def test_a_concrete_model_asks_no_strategy_and_a_route_of_the_gateway_no_gate_but_authenticate(bench) -> None:
    gateway = await bench.serve({"all": EVERYTHING})
    await gateway.chat("fast")
    assert "select_model" not in bench.journal
    bench.journal.clear()
    async with gateway.session.get("/v1/models") as response:
        assert response.status == 200
    async with gateway.session.get("/health/readiness") as response:
        assert response.status == 200
    assert bench.journal == ["authenticate", "health_check"]


async def test_deployments_of_one_group_are_offered_to_select_deployment(bench) -> None:
    from routeiq_testkit.gateway import openai_row

    rows = [openai_row("twin", bench.up.base_url, f"model-{n}") for n in (1, 2)]
    gateway = await bench.serve({"all": EVERYTHING}, model_list=rows, routeiq={"virtual_models": {}})
    await gateway.chat("twin")
    assert bench.journal.count("select_deployment") == 1
    assert bench.journal.index("reserve") < bench.journal.index("select_deployment")
    assert bench.journal.index("select_deployment") < bench.journal.index("before_attempt")


NOTES_TAG = """
{attributes}
@hookimpl
async def guard_request(self, ctx: Context) -> None:
    note("{name}")
"""


async def test_before_and_after_of_classes_and_of_the_yaml_order_the_plugins_of_a_gate(bench) -> None:
    wishes = {"a": "after = frozenset({'c'})", "b": "", "c": ""}
    sources = {name: NOTES_TAG.format(name=name, attributes=wish) for name, wish in wishes.items()}
    gateway = await bench.serve(sources, routeiq={"plugins": {"b": {"before": ["c"]}}})
    assert (await gateway.chat("fast"))[0] == 200
    assert bench.journal == ["b", "c", "a"]


async def test_a_refusal_ends_the_walk_at_its_gate(bench) -> None:
    refusing = """
    @hookimpl
    async def guard_request(self, ctx: Context) -> Reject:
        note("refused")
        return Reject(422, "not today", type="fixture_refusal", param="messages", code="moon", retry_after=7)
    """
    gateway = await bench.serve({"first": refusing, "all": EVERYTHING})
    status, headers, body = await gateway.chat("fast")
    assert status == 422
    assert headers["retry-after"] == "7"
    assert body == {
        "error": {
            "message": "not today",
            "type": "fixture_refusal",
            "param": "messages",
            "code": "422",
            "provider_specific_fields": {"code": "moon"},
        }
    }
    assert bench.journal[len(START) :] == ["admit", "authenticate", "authorize", "refused", "record"]
    assert bench.up.requests == []
    (record,) = await gateway.recorded()
    assert (record.status, record.error_type, record.attempts) == (422, "fixture_refusal", ())
