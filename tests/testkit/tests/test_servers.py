"""The real servers: they answer, they bear what tests do to them, and they go when their process goes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from routeiq_testkit.servers import PostgresServer, ServerError, ValkeyCluster, ValkeySentinels, ValkeyServer
from routeiq_testkit.servers.resp import RespError, ask

ORPHAN = """
import sys
from routeiq_testkit.servers import PostgresServer, ValkeyServer
servers = [ValkeyServer(), PostgresServer()]
for server in servers:
    server.start()
print(*(server.pid for server in servers), servers[0].folder.parent, flush=True)
sys.stdin.read()
"""


def test_valkey_forgets_for_each_test_what_the_last_one_wrote(valkey: ValkeyServer) -> None:
    valkey.ask("SET", "a", "1")
    assert valkey.ask("GET", "a") == "1"
    valkey.refresh()
    assert valkey.ask("GET", "a") is None


def test_valkey_bears_being_stopped_killed_paused_and_flushed(valkey: ValkeyServer) -> None:
    port = valkey.port
    for end in (valkey.stop, valkey.kill):
        end()
        with pytest.raises(ConnectionRefusedError):
            valkey.ask("PING")
        valkey.start()
        assert valkey.ask("PING") == "PONG"
        assert valkey.port == port
    valkey.pause()
    with pytest.raises(TimeoutError):
        valkey.ask("PING", seconds=0.05)
    valkey.resume()
    valkey.ask("SET", "a", "1")
    valkey.flush()
    assert valkey.ask("DBSIZE") == 0


def test_valkey_asks_for_the_password_it_was_given() -> None:
    server = ValkeyServer(password="a-secret")
    server.start()
    try:
        assert server.ask("PING") == "PONG"
        with pytest.raises(RespError, match="NOAUTH"):
            ask(server.port, "PING")
    finally:
        server.kill()


def test_a_server_that_cannot_start_says_why() -> None:
    server = ValkeyServer(options={"maxmemory": "nonsense"})
    with pytest.raises(ServerError, match="maxmemory"):
        server.start()


def test_sentinels_promote_the_replica_of_a_killed_primary(valkey_sentinels: ValkeySentinels) -> None:
    valkey_sentinels.primary.ask("SET", "a", "1")
    valkey_sentinels.failover()
    assert valkey_sentinels.replica.ask("SET", "b", "1") == "OK"
    valkey_sentinels.refresh()
    assert valkey_sentinels.primary.ask("DBSIZE") == 0
    assert "role:master" in valkey_sentinels.primary.ask("INFO", "replication")


def test_a_cluster_shares_its_slots(valkey_cluster: ValkeyCluster) -> None:
    answers = []
    for node in valkey_cluster.nodes:
        try:
            answers.append(node.ask("SET", "a", "1"))
        except RespError as error:
            answers.append(str(error).split()[0])
    assert sorted(answers) == ["MOVED", "MOVED", "OK"]


async def test_each_test_gets_a_database_of_its_own(postgres: PostgresServer) -> None:
    one, two = await postgres.database(), await postgres.database()
    await postgres.execute("CREATE TABLE t (n int)", one)
    assert await postgres.execute("SELECT count(*) FROM t", one) == "0"
    with pytest.raises(ServerError, match='"t" does not exist'):
        await postgres.execute("SELECT count(*) FROM t", two)


async def test_what_postgres_committed_survives_a_kill(postgres: PostgresServer) -> None:
    url = await postgres.database()
    await postgres.execute("CREATE TABLE t AS SELECT 7 AS n", url)
    postgres.kill()
    with pytest.raises(ServerError, match="refused"):
        await postgres.execute("SELECT 1", url)
    postgres.start()
    assert await postgres.execute("SELECT n FROM t", url) == "7"


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_servers_go_with_the_process_that_started_them(end: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", ORPHAN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    *pids, home = child.stdout.readline().split()
    assert all(_alive(int(pid)) for pid in pids)
    if end == "kill":
        child.kill()
    child.communicate("")
    until = time.monotonic() + 20
    while (Path(home).exists() or any(_alive(int(pid)) for pid in pids)) and time.monotonic() < until:
        time.sleep(0.01)
    assert [pid for pid in pids if _alive(int(pid))] == []
    assert not Path(home).exists()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # An orphan that ended may wait for whoever adopts it.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
