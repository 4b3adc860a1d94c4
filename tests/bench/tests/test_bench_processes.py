"""CPU and memory of a process tree, and its end, with processes that do a known thing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.processes import ProcessEnded, ProcessTree

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
THEN_WAIT = "print('done', flush=True)\nimport signal; signal.pause()\n"
IN_A_CHILD = f"import os\nif os.fork() == 0:\n exec({BURN!r}); os._exit(0)\n"


def started(script: str, folder: Path) -> ProcessTree:
    return ProcessTree([sys.executable, "-c", script], core=0, env={}, folder=folder, stop_grace=2)


def wait_until(true: Callable[[], bool], deadline: float = 20.0) -> None:
    end = time.monotonic() + deadline
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def finished(tree: ProcessTree) -> bool:
    return "done" in tree.log_tail()


def ended(tree: ProcessTree) -> bool:
    tree.raise_if_ended()
    return False


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(BURN + THEN_WAIT, id="itself"),
        pytest.param(IN_A_CHILD + "os.wait()\n" + THEN_WAIT, id="a child that died"),
    ],
)
def test_cpu_of_the_tree_counts_what_was_burnt(script: str, tmp_path: Path) -> None:
    with started(script, tmp_path) as tree:
        wait_until(lambda: finished(tree))
        assert 0.28 <= tree.cpu_seconds() <= 1.5


def test_cpu_of_the_tree_counts_live_children(tmp_path: Path) -> None:
    with started("import os\nif os.fork() == 0:\n while True: pass\n" + THEN_WAIT, tmp_path) as tree:
        wait_until(lambda: tree.cpu_seconds() > 0.3)
        assert len(tree.members()) == 2


def test_memory_holds_both_the_sum_and_the_largest(tmp_path: Path) -> None:
    with started("block = b'x' * (40 << 20)\nimport os\nos.fork()\n" + THEN_WAIT, tmp_path) as tree:
        wait_until(lambda: tree.memory().processes == 2)
        memory = tree.memory()
        assert memory.largest_rss >= 40
        assert 40 <= memory.tree_pss < 2 * memory.largest_rss  # the block is shared, and counted once


def test_stop_ends_the_whole_tree_even_if_it_will_not_listen(tmp_path: Path) -> None:
    deaf = "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.fork()\n" + THEN_WAIT
    tree = ProcessTree([sys.executable, "-c", deaf], core=0, env={}, folder=tmp_path, stop_grace=0.2)
    wait_until(lambda: tree.log_tail().count("done") == 2)
    members = list(tree.members())
    tree.stop()
    assert len(members) == 2
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in members))


def test_a_process_that_ended_by_itself_says_why(tmp_path: Path) -> None:
    with started("raise SystemExit('no such model')", tmp_path) as tree:
        wait_until(lambda: "no such model" in tree.log_tail())
        with pytest.raises(ProcessEnded, match="no such model"):
            wait_until(lambda: ended(tree))
