"""Where training runs: in this process, on this machine's cores, or on a cluster of Dask or Ray.

Which parts of the work can be shared out is the trainer's business.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from routeiq_routing_ml.training.table import TrainingError

BACKENDS: Final = ("loky", "threading", "dask", "ray")
CLUSTERS: Final = ("dask", "ray")


@contextmanager
def workers(backend: str, jobs: int, scheduler: str | None = None) -> Iterator[int]:
    """Make joblib use `backend` inside the block, and give the number of jobs to ask for; a cluster gives all it has.

    `scheduler` is a cluster's address; without it one of this machine's own is started. Raises `TrainingError`.
    """
    from joblib import parallel_config

    if backend not in BACKENDS:
        raise TrainingError(f"there is no backend {backend!r}.", f"choose among: {', '.join(BACKENDS)}.")
    if backend not in CLUSTERS:
        if scheduler is not None:
            raise TrainingError(f"{backend} has no scheduler.", f"use --backend {' or '.join(CLUSTERS)}.")
        inner = {"inner_max_num_threads": 1} if backend == "loky" else {}
        with _one_thread(), parallel_config(backend, n_jobs=jobs, **inner):
            yield jobs
        return
    with _one_thread(), (_dask if backend == "dask" else _ray)(scheduler), parallel_config(backend, n_jobs=-1):
        yield -1


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for the sums of linear algebra: their order, and so the router, must not depend on the machine's
    cores. On matrices of this size more threads mostly wait for one another; whole folds are what workers share.
    """
    import scipy.linalg  # noqa: F401 - only what is loaded can be limited
    import sklearn.cluster  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


@contextmanager
def _dask(scheduler: str | None) -> Iterator[None]:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        mend = "pip install 'routeiq-routing-ml[dask]'"
        raise TrainingError("the backend dask needs distributed, which is not installed.", mend) from None
    try:
        client = (
            distributed.Client(scheduler, timeout="10s")
            if scheduler
            else distributed.Client(processes=False, dashboard_address=None)
        )
    except (OSError, ValueError) as error:
        mend = "start `dask scheduler` and give its address, for instance tcp://127.0.0.1:8786."
        raise TrainingError(f"no Dask scheduler answers at {scheduler}: {type(error).__name__}.", mend) from None
    with client:
        if not client.ncores():
            raise TrainingError("the Dask cluster has no worker.", "start `dask worker` with the scheduler's address.")
        yield


@contextmanager
def _ray(scheduler: str | None) -> Iterator[None]:
    try:
        ray: Any = importlib.import_module("ray")
        importlib.import_module("ray.util.joblib").register_ray()
    except ImportError:
        raise TrainingError("the backend ray needs Ray, which is not installed.", "pip install ray") from None
    try:
        ray.init(address=scheduler, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        mend = "start `ray start --head` and give its address."
        raise TrainingError(f"no Ray cluster answers at {scheduler}: {type(error).__name__}.", mend) from None
    try:
        yield
    finally:
        ray.shutdown()
