"""The process behind `KafkaCluster`: it hosts librdkafka's mock cluster and obeys one command a connection.

The cluster's controls are only in librdkafka's C interface, so they are called there.
"""

from __future__ import annotations

import ctypes
import socket
import sys
from pathlib import Path

_PRODUCER = 0
_OK = 0


class MockCluster:
    """The mock cluster of one librdkafka client."""

    def __init__(self, brokers: int) -> None:
        self._library = _library()
        text = ctypes.create_string_buffer(512)
        options = self._handle("rd_kafka_conf_new")
        for name, value in (("test.mock.num.brokers", str(brokers)), ("log_level", "2")):
            if self._library.rd_kafka_conf_set(options, name.encode(), value.encode(), text, len(text)) != _OK:
                raise RuntimeError(text.value.decode())
        client = self._handle("rd_kafka_new", _PRODUCER, options, text, len(text))
        self._cluster = self._handle("rd_kafka_handle_mock_cluster", client)

    @property
    def bootstrap(self) -> str:
        bootstraps = self._library.rd_kafka_mock_cluster_bootstraps
        bootstraps.restype = ctypes.c_char_p
        found: bytes = bootstraps(self._cluster)
        return found.decode()

    def obey(self, command: str, *words: str) -> str:
        """Do one command. Raises `ValueError` for one that it does not know or cannot do."""
        if command == "bootstrap":
            return self.bootstrap
        if command in ("down", "up"):
            self._call(f"rd_kafka_mock_broker_set_{command}", int(words[0]))
        elif command == "fail":
            errors = [int(word) for word in words[1:]]
            array = (ctypes.c_int * len(errors))(*errors)
            push = self._library.rd_kafka_mock_push_request_errors_array
            push(self._cluster, ctypes.c_int16(int(words[0])), ctypes.c_size_t(len(errors)), array)
        elif command == "topic":
            self._call("rd_kafka_mock_topic_create", words[0].encode(), int(words[1]), 1)
        else:
            raise ValueError(f"unknown command {command}")
        return ""

    def _call(self, name: str, *values: object) -> None:
        code = getattr(self._library, name)(self._cluster, *values)
        if code != _OK:
            raise ValueError(f"{name} answered {code}")

    def _handle(self, name: str, *values: object) -> ctypes.c_void_p:
        function = getattr(self._library, name)
        function.restype = ctypes.c_void_p
        found = function(*values)
        if not found:
            raise RuntimeError(f"{name} gave nothing")
        return ctypes.c_void_p(found)


def serve(port: int, brokers: int) -> None:
    """Obey for ever."""
    cluster = MockCluster(brokers)
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            link, _ = server.accept()
            with link:
                words = link.makefile().readline().split()
                try:
                    answer = f"ok {cluster.obey(*words)}"
                except (ValueError, IndexError, TypeError) as error:
                    answer = f"bad {error}"
                link.sendall(answer.encode() + b"\n")


def _library() -> ctypes.CDLL:
    """The librdkafka that confluent-kafka's wheel brings, else the system's."""
    import confluent_kafka

    site = Path(confluent_kafka.__file__).parent.parent
    found = sorted(site.glob("confluent_kafka.libs/librdkafka*"))
    return ctypes.CDLL(str(found[0]) if found else "librdkafka.so.1")


if __name__ == "__main__":
    try:
        serve(int(sys.argv[1]), int(sys.argv[2]))
    except KeyboardInterrupt:
        pass
