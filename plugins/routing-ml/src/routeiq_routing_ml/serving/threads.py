"""Threads of linear algebra while the gateway serves: one.

Small products are slower on many threads, and threads that spin would take the event loop's core.
"""

from __future__ import annotations


def one_thread() -> None:
    """Hold the libraries that are loaded now to one thread. Call it again after loading more."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
