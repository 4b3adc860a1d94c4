"""The simulated models: labelled, deterministic, priced, and better where their table says so."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

import openai
import pytest
import pytest_asyncio

from routeiq_testkit import MODELS, QUESTIONS, SimulatedModel, SimulatedModels, multiply
from routeiq_testkit.simulated import TOPICS, simulate

BY_NAME = {model.name: model for model in MODELS}
MULTIPLIED = multiply(2100, seed=7)


@pytest_asyncio.fixture
async def client(simulated_models: SimulatedModels) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=simulated_models.base_url, api_key="none", max_retries=0) as client:
        yield client


def share_right(model: SimulatedModel, topic: str) -> float:
    verdicts = [simulate(model, question.text).correct for question in MULTIPLIED if question.topic == topic]
    return sum(verdicts) / len(verdicts)


def test_every_model_has_a_skill_in_every_topic() -> None:
    assert all(set(model.skill) == set(TOPICS) for model in MODELS)
    assert all(0 <= skill <= 1 for model in MODELS for skill in model.skill.values())


@pytest.mark.parametrize("topic", TOPICS)
def test_models_score_as_their_skill_says(topic: str) -> None:
    for model in MODELS:
        assert share_right(model, topic) == pytest.approx(model.skill[topic], abs=0.08)


@pytest.mark.parametrize(
    ("topic", "best", "worse"),
    [
        ("code", "sim-coder", ("sim-swift", "sim-scribe", "sim-sage")),
        ("reasoning", "sim-sage", ("sim-swift", "sim-scribe", "sim-coder")),
        ("writing", "sim-scribe", ("sim-swift", "sim-coder", "sim-sage")),
        ("smalltalk", "sim-swift", ("sim-coder",)),
    ],
)
def test_a_specialist_beats_the_others_on_its_topic(topic: str, best: str, worse: tuple[str, ...]) -> None:
    assert all(share_right(BY_NAME[best], topic) > share_right(BY_NAME[other], topic) for other in worse)


def test_the_dearest_model_is_the_slowest_and_the_cheapest_the_fastest() -> None:
    by_price = sorted(MODELS, key=lambda model: model.output_usd_per_mtok)
    assert by_price == sorted(MODELS, key=lambda model: model.first_token_ms)
    assert by_price[0].name == "sim-swift"
    assert by_price[-1].name == "sim-sage"


def test_the_same_question_gets_the_same_answer_at_the_same_pace() -> None:
    for question in QUESTIONS:
        for model in MODELS:
            assert simulate(model, question.text) == simulate(model, question.text)
    answers = {simulate(model, QUESTIONS[0].text) for model in MODELS}
    assert len(answers) == len(MODELS)


async def test_an_answer_says_that_it_is_simulated_and_how_good(client: openai.AsyncOpenAI) -> None:
    question = QUESTIONS[0]
    raw = await client.chat.completions.with_raw_response.create(
        model="sim-coder", messages=[{"role": "user", "content": question.text}]
    )
    answer = raw.parse()
    assert raw.headers["x-simulated"] == "1"
    assert answer.system_fingerprint == "simulated"
    assert answer.model == "sim-coder"
    expected = simulate(BY_NAME["sim-coder"], question.text)
    assert answer.choices[0].message.content == expected.text
    assert expected.text.startswith("[simulated: sim-coder on code")
    assert answer.model_extra is not None
    quality = {"topic": question.topic, "correct": expected.correct, "skill": 0.96}
    assert answer.model_extra["simulated"] == quality
    assert answer.usage is not None
    assert answer.usage.completion_tokens == len(expected.words)


async def test_a_stream_says_the_same_as_the_whole_answer(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="sim-swift",
        messages=[{"role": "system", "content": "Prove it."}, {"role": "user", "content": "Hello! How are you?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    expected = simulate(BY_NAME["sim-swift"], "Hello! How are you?")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == expected.text
    assert {chunk.model_extra["simulated"]["topic"] for chunk in chunks if chunk.model_extra} == {"smalltalk"}
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == len(expected.words)


async def test_max_tokens_cuts_an_answer_short(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="sim-sage", messages=[{"role": "user", "content": "Why?"}], max_completion_tokens=5
    )
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5


async def test_bad_requests_are_refused_as_the_provider_would(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.chat.completions.create(model="gone", messages=[{"role": "user", "content": "Hi"}])
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(model="sim-sage", messages=[])
    with pytest.raises(openai.NotFoundError):
        await client.embeddings.create(model="sim-sage", input="Hi")


async def test_models_are_listed_with_their_prices(client: openai.AsyncOpenAI) -> None:
    listed = {model.id: model.model_extra or {} async for model in client.models.list()}
    assert list(listed) == [model.name for model in MODELS]
    assert listed["sim-sage"]["output_usd_per_mtok"] == BY_NAME["sim-sage"].output_usd_per_mtok


async def test_latency_is_the_tables_unless_scaled() -> None:
    expected = simulate(BY_NAME["sim-swift"], "Hello!")
    table = BY_NAME["sim-swift"]
    assert 0.8 * table.first_token_ms <= 1000 * expected.first_token_seconds <= 1.2 * table.first_token_ms
    whole = expected.first_token_seconds + expected.token_seconds * len(expected.words)
    async with SimulatedModels() as models, openai.AsyncOpenAI(base_url=models.base_url, api_key="none") as client:
        clock = asyncio.get_running_loop().time
        started = clock()
        await client.chat.completions.create(model="sim-swift", messages=[{"role": "user", "content": "Hello!"}])
        assert clock() - started >= 0.95 * whole


async def test_the_process_says_where_it_listens_and_ends_on_sigterm() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "routeiq_testkit.simulated", "--port", "0", "--time-scale", "0"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 15)).decode()
        url = line.strip().removeprefix("listening on ")
        assert url.startswith("http://127.0.0.1:")
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            assert len((await client.models.list()).data) == len(MODELS)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
