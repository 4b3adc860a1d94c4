"""Two Valkey servers, one the replica of the other, and the sentinels that promote it.

What a client makes of a promotion is the business of its tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .process import ServerError
from .resp import RespError
from .valkey import ValkeyServer

SERVICE = "main"
_READY_SECONDS = 30.0


class Sentinel(ValkeyServer):
    """Watches one primary; it keeps its configuration in a file."""

    name = "sentinel"

    def __init__(self, primary: ValkeyServer, quorum: int) -> None:
        super().__init__()
        self._primary = primary
        self._quorum = quorum

    def command(self) -> Sequence[str | Path]:
        config = self.folder / "sentinel.conf"
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {self.folder}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {self._primary.port} {self._quorum}",
            f"sentinel down-after-milliseconds {SERVICE} 300",
            f"sentinel failover-timeout {SERVICE} 3000",
        ]
        config.write_text("\n".join(lines) + "\n")
        return [*super().command()[:1], config, "--sentinel"]


class ValkeySentinels:
    """`url` is `redis+sentinel://HOST:PORT,.../main`. A primary that is gone for 0.3 s is replaced by its replica."""

    def __init__(self, sentinels: int = 3) -> None:
        self._count = sentinels
        self._build()

    @property
    def url(self) -> str:
        """How a client finds the primary."""
        return "redis+sentinel://" + ",".join(each.address for each in self.sentinels) + f"/{SERVICE}"

    def start(self) -> None:
        """Start all, and wait until the replica follows and the sentinels know one another and it."""
        self.primary.start()
        options = {"replicaof": f"127.0.0.1 {self.primary.port}"}
        self.replica.options |= options
        self.replica.start()
        self._until(lambda: "master_link_status:up" in self.replica.ask("INFO", "replication"), "the replica follows")
        for each in self.sentinels:
            each.start()
        self._until(lambda: all(self._sees_all(each) for each in self.sentinels), "the sentinels see all")

    def stop(self) -> None:
        """End all."""
        for each in (*self.sentinels, self.replica, self.primary):
            each.kill()

    def flush(self) -> None:
        """Forget everything."""
        self.primary.flush()

    def failover(self) -> None:
        """Kill the primary and wait until the sentinels name the old replica."""
        self.primary.kill()
        self.await_promotion()

    def await_promotion(self) -> None:
        """Wait until all sentinels name the old replica, and it knows that it is the primary."""
        self._until(lambda: all(self._named(each) == self.replica.port for each in self.sentinels), "a promotion")
        self._until(lambda: "role:master" in self.replica.ask("INFO", "replication"), "the new primary")

    def refresh(self) -> None:
        """Whatever a test did to it: running, in the first order, and empty."""
        for each in (self.primary, self.replica, *self.sentinels):
            each.resume()
        if not self._in_first_order():
            self.stop()
            self._build()
            self.start()
        self.flush()

    def _build(self) -> None:
        quick = {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1"}
        self.primary, self.replica = ValkeyServer(options=quick), ValkeyServer(options=quick)
        self.sentinels = [Sentinel(self.primary, self._count // 2 + 1) for _ in range(self._count)]

    def _in_first_order(self) -> bool:
        try:
            return (
                "role:master" in self.primary.ask("INFO", "replication")
                and "master_link_status:up" in self.replica.ask("INFO", "replication")
                and all(self._named(each) == self.primary.port and self._sees_all(each) for each in self.sentinels)
            )
        except (OSError, RespError):
            return False

    def _named(self, sentinel: ValkeyServer) -> int:
        return int(sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    def _sees_all(self, sentinel: ValkeyServer) -> bool:
        told = sentinel.ask("SENTINEL", "MASTER", SERVICE)
        fields = dict(zip(told[::2], told[1::2], strict=True))
        known = (fields["flags"], fields["num-slaves"], fields["num-other-sentinels"])
        return known == ("master", "1", str(self._count - 1))

    def _until(self, seen: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + _READY_SECONDS
        while True:
            try:
                if seen():
                    return
            except (OSError, RespError):
                pass
            if time.monotonic() > until:
                raise ServerError(f"waited in vain for {what}:\n{self.sentinels[0].log()}")
            time.sleep(0.01)
