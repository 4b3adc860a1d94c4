"""The Redis store in a cluster: both contracts, and what a node that goes takes along."""

from __future__ import annotations

import pytest

from routeiq_sdk import StoreUnavailable
from routeiq_testkit.servers import ValkeyCluster
from routeiq_testkit.servers.resp import RespError

from .redis_places import MetersAtAPlace, StateAtAPlace, stores, until_back


class TestClusterStateKeepsTheContract(StateAtAPlace):
    @pytest.fixture(autouse=True)
    def place(self, valkey_cluster: ValkeyCluster) -> None:
        self.server = valkey_cluster


class TestClusterMetersKeepTheContract(MetersAtAPlace):
    @pytest.fixture(autouse=True)
    def place(self, valkey_cluster: ValkeyCluster) -> None:
        self.server = valkey_cluster


def node_of(cluster: ValkeyCluster, key: str) -> int:
    """The place of the node that serves a key."""
    for n, node in enumerate(cluster.nodes):
        try:
            node.ask("GET", key)
        except RespError:
            continue
        return n
    raise AssertionError("no node serves the key")


async def test_all_keys_lie_on_one_node(valkey_cluster: ValkeyCluster) -> None:
    async with stores(valkey_cluster.url) as opened:
        for n in range(20):
            await opened.state.put(f"table-{n}", "key", b"")
            await opened.state.increment(f"counter-{n}", 1)
    sizes = [node.ask("DBSIZE") for node in valkey_cluster.nodes]
    assert sorted(sizes)[:2] == [0, 0]
    assert sizes[node_of(valkey_cluster, "{routeiq}")] == max(sizes)


async def test_nodes_that_are_not_ours_may_be_away(valkey_cluster: ValkeyCluster) -> None:
    ours = node_of(valkey_cluster, "{routeiq}")
    others = [node for n, node in enumerate(valkey_cluster.nodes) if n != ours]
    others[0].kill()
    async with stores(valkey_cluster.url) as opened:
        await opened.state.put("t", "k", b"1")
        assert await opened.state.get("t", "k") == b"1"


async def test_our_node_is_missed_and_found_again(valkey_cluster: ValkeyCluster) -> None:
    ours = valkey_cluster.nodes[node_of(valkey_cluster, "{routeiq}")]
    async with stores(valkey_cluster.url) as opened:
        await opened.meters.restore([])
        ours.kill()
        with pytest.raises(StoreUnavailable):
            await opened.state.increment("a", 1)
        valkey_cluster.start()
        await until_back(opened)
        assert await opened.state.increment("a", 1) == 1
        assert await opened.meters.lost() is True
