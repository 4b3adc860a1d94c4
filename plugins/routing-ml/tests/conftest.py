"""What all tests here share: linear algebra on one thread, since threads that spin are slow where cores are shared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import scipy.linalg  # noqa: F401 (brings a BLAS of its own, and only what is loaded can be limited)
import sklearn.cluster  # noqa: F401 (brings OpenMP)
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield
