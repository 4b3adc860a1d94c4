"""A Kafka cluster for tests: librdkafka's mock cluster in a process of its own, whose brokers can be told to fail.

It speaks the real protocol to clients of any process. It keeps messages in memory and replicates nothing.
"""

from __future__ import annotations

import importlib.util
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from .process import ServerError, ServerProcess, free_ports

_SECONDS = 10.0


class KafkaCluster(ServerProcess):
    """`bootstrap` is how a client reaches it. A new process has new addresses: `down` and `up` keep them."""

    name = "kafka"

    def __init__(self, *, brokers: int = 1) -> None:
        super().__init__()
        self._brokers = brokers

    @property
    def bootstrap(self) -> str:
        """The brokers, as host:port by comma."""
        return self._tell("bootstrap")

    def command(self) -> Sequence[str | Path]:
        if importlib.util.find_spec("confluent_kafka") is None:
            raise ServerError("no Kafka here. Mend: pip install confluent-kafka")
        program = "routeiq_testkit.servers.kafka_process"
        return [sys.executable, "-m", program, str(self.port), str(self._brokers)]

    def answers(self) -> bool:
        try:
            return bool(self.bootstrap)
        except OSError:
            return False

    def choose_ports(self) -> None:
        (self.port,) = free_ports(1)

    def down(self, broker: int = 1) -> None:
        """Close a broker's connections and refuse new ones."""
        self._tell(f"down {broker}")

    def up(self, broker: int = 1) -> None:
        """Let it serve again, with all that it held."""
        self._tell(f"up {broker}")

    def fail(self, request: int, *errors: int) -> None:
        """Answer the next requests of this kind (Kafka's API key; 0 is Produce) with these error codes, one each."""
        self._tell(" ".join(map(str, ("fail", request, *errors))))

    def topic(self, name: str, partitions: int = 1) -> None:
        """Make a topic."""
        self._tell(f"topic {name} {partitions}")

    def _tell(self, command: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), _SECONDS) as link:
            link.sendall(command.encode() + b"\n")
            answer = link.makefile().readline()
        if not answer.startswith("ok"):
            raise ServerError(f"{command}: {answer or 'no answer'}")
        return answer[2:].strip()
