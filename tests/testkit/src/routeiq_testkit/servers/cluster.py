"""A Valkey cluster of three nodes that share the slots, without replicas.

Moving slots and failing over inside a cluster are not wired here.
"""

from __future__ import annotations

import time
from pathlib import Path

from .process import ServerError, free_ports
from .resp import RespError
from .valkey import ValkeyServer

_SLOTS = 16384
_READY_SECONDS = 30.0


class ClusterNode(ValkeyServer):
    """A node; its bus has a port of its own."""

    name = "node"

    def choose_ports(self) -> None:
        self.port, bus = free_ports(2)
        self.options |= {
            "cluster-enabled": "yes",
            "cluster-port": str(bus),
            "cluster-config-file": str(Path(self.folder) / "nodes.conf"),
            "cluster-node-timeout": "2000",
            "cluster-announce-ip": "127.0.0.1",
        }


class ValkeyCluster:
    """`url` is `redis+cluster://HOST:PORT,HOST:PORT,HOST:PORT`. `nodes` can be killed, paused and started one by
    one."""

    def __init__(self, count: int = 3) -> None:
        self.nodes = [ClusterNode() for _ in range(count)]
        self._joined = False

    @property
    def url(self) -> str:
        """How a client reaches it."""
        return "redis+cluster://" + ",".join(node.address for node in self.nodes)

    def start(self) -> None:
        """Start what does not run and wait until every node sees every slot served."""
        for node in self.nodes:
            node.resume()
            node.start()
        if not self._joined:
            self._join()
            self._joined = True
        until = time.monotonic() + _READY_SECONDS
        while not all(self._whole(node) for node in self.nodes):
            if time.monotonic() > until:
                raise ServerError("the cluster does not come together:\n" + self.nodes[0].log())
            time.sleep(0.01)

    def stop(self) -> None:
        """End all nodes in good order."""
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        """End all nodes as a crash does."""
        for node in self.nodes:
            node.kill()

    def flush(self) -> None:
        """Forget everything."""
        for node in self.nodes:
            node.flush()

    def refresh(self) -> None:
        """Whatever a test did to it: running, and empty."""
        self.start()
        self.flush()

    def _join(self) -> None:
        share = -(-_SLOTS // len(self.nodes))
        for n, node in enumerate(self.nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
            node.ask("CLUSTER", "ADDSLOTSRANGE", n * share, min((n + 1) * share, _SLOTS) - 1)
        first = self.nodes[0]
        for node in self.nodes[1:]:
            node.ask("CLUSTER", "MEET", "127.0.0.1", first.port, first.options["cluster-port"])

    def _whole(self, node: ValkeyServer) -> bool:
        try:
            told = str(node.ask("CLUSTER", "INFO"))
        except (OSError, RespError):
            return False
        return "cluster_state:ok" in told and f"cluster_known_nodes:{len(self.nodes)}" in told
