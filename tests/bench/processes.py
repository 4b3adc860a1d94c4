"""Processes under measurement: start on one core, CPU and memory of the whole tree, stop.
Knows nothing about gateways; only what it started itself is ever signalled."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class ProcessEnded(RuntimeError):
    """A process under measurement ended by itself; the message holds the end of its log."""


@dataclass(frozen=True)
class Memory:
    """MiB: `tree_pss` counts shared pages once, `largest_rss` is what `ps` shows for the biggest process."""

    tree_pss: float
    largest_rss: float
    processes: int


@dataclass(frozen=True)
class _Stat:
    parent: int
    session: int
    cpu_ticks: int
    started: int


def _read_stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command name is in brackets and may hold spaces; the numbers after it are fields 3 and up of proc(5).
    field = text.rpartition(")")[2].split()
    own_and_reaped = sum(int(value) for value in field[11:15])
    return _Stat(parent=int(field[1]), session=int(field[3]), cpu_ticks=own_and_reaped, started=int(field[19]))


def machine_busy_seconds() -> float:
    """CPU seconds the whole machine has worked since boot, all cores together."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS_PER_SECOND


class ProcessTree:
    """A command pinned to one core, with everything it forks. Use as a context manager."""

    def __init__(
        self, argv: list[str], *, core: int, env: dict[str, str], folder: Path, stop_grace: float = 6.0
    ) -> None:
        self.log = folder / "output.log"
        self._stop_grace = stop_grace
        with self.log.open("ab") as log:
            # setpriv: should the bench itself be killed, the kernel ends what it started.
            self._root = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(core), *argv],
                env=env,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._root.pid

    def __enter__(self) -> ProcessTree:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def members(self) -> dict[int, int]:
        """Process id -> CPU ticks of every live process of the tree."""
        return {pid: stat.cpu_ticks for pid, stat in self._stats().items()}

    def _stats(self) -> dict[int, _Stat]:
        stats = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (stat := _read_stat(int(entry))) is not None:
                stats[int(entry)] = stat
        # A descendant may leave the session and an orphan may lose its parent; only one that does both escapes.
        tree = {pid for pid, stat in stats.items() if pid == self.pid or stat.session == self.pid}
        grown = True
        while grown:
            more = {pid for pid, stat in stats.items() if stat.parent in tree} - tree
            tree |= more
            grown = bool(more)
        return {pid: stats[pid] for pid in tree}

    def cpu_seconds(self) -> float:
        """User and system time of the tree so far, including children that have died and been waited for."""
        return sum(self.members().values()) / TICKS_PER_SECOND

    def memory(self) -> Memory:
        pss, rss, count = 0, 0, 0
        for pid in self.members():
            with contextlib.suppress(OSError):
                rollup = _read_rollup(pid)
                pss, rss, count = pss + rollup["Pss"], max(rss, rollup["Rss"]), count + 1
        return Memory(tree_pss=pss / 1024, largest_rss=rss / 1024, processes=count)

    def raise_if_ended(self) -> None:
        if (status := self._root.poll()) is not None:
            raise ProcessEnded(f"exit status {status}; end of {self.log}:\n{self.log_tail()}")

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def settle(self, deadline: float = 5.0) -> None:
        """Wait until the tree is idle: answers nobody waits for any more must not burn the next one's time."""
        end = time.monotonic() + deadline
        before = self.cpu_seconds()
        while time.monotonic() < end:
            time.sleep(0.2)
            now = self.cpu_seconds()
            if now - before <= 0.02:
                return
            before = now

    def stop(self) -> None:
        mine = self._stats()
        if self._root.poll() is None:
            self._root.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._root.wait(self._stop_grace)
        for pid, then in {**mine, **self._stats()}.items():
            now = _read_stat(pid)
            if now is not None and now.started == then.started:  # not a stranger that got the number since
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._root.wait(self._stop_grace)


def _read_rollup(pid: int) -> dict[str, int]:
    pairs = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return {words[0].rstrip(":"): int(words[1]) for words in pairs}
