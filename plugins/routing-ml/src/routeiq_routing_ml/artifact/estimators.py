"""Scikit-learn estimators as skops bytes: made here, and loaded only if each type in them is listed and no size lies.

Whether the bytes may be believed was decided before they come here. Pickles are the business of `convert`.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.artifact.manifest import ESTIMATORS
from routeiq_sdk import PluginError

STRUCTURES: Final = frozenset(
    {
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
    }
)
"""Types inside usual estimators that skops does not trust by itself: a tree whose nodes point outside of it can crash
the process when it predicts. List them for artifacts that a trusted key signed, and for nothing else.
"""
MOST_BYTES: Final = 512 << 20
"""All members together, unpacked."""
_MOST_MEMBERS: Final = 50_000
_MOST_NPY_HEADER: Final = 10_000
_MEND: Final = "train the router again."


def dump(estimator: Any) -> bytes:
    """The skops bytes of an estimator, without any pickle. Raises `ValueError` for one that skops cannot store."""
    try:
        data: bytes = _skops().dumps(estimator)
    except (TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"skops cannot store {type(estimator).__name__}: {error}") from None
    return data


def load(data: bytes, allowed: Iterable[str]) -> Any:
    """The scikit-learn estimator in `data`. `allowed` lists the full names of types that may occur besides those that
    skops trusts, for instance `STRUCTURES`. Raises `ArtifactError` that names the first other types, and for members
    that unpack to more than `MOST_BYTES` or are not what they claim; `PluginError` without skops.
    """
    skops = _skops()
    listed = sorted(set(allowed))
    unlisted = sorted(set(untrusted(data)) - set(listed))
    if unlisted:
        mend = "if you trust who trained it, list these types; otherwise train the router again."
        raise ArtifactError(ESTIMATORS, f"it holds types that are not allowed: {', '.join(unlisted[:5])}.", mend)
    from sklearn.base import BaseEstimator

    try:
        estimator = skops.loads(data, trusted=listed)
    except Exception as error:  # a broken file can raise anything there
        raise ArtifactError(ESTIMATORS, f"cannot be loaded: {type(error).__name__}.", _MEND) from None
    if not isinstance(estimator, BaseEstimator):
        raise ArtifactError(ESTIMATORS, f"it holds no estimator but {type(estimator).__name__}.", _MEND)
    return estimator


def untrusted(data: bytes) -> tuple[str, ...]:
    """Names of the types in `data` that skops does not trust by itself, without loading any. Raises `ArtifactError`
    for bytes that are too large or broken; `PluginError` without skops.
    """
    skops = _skops()
    try:
        _sizes(data, MOST_BYTES, nested=False)
        return tuple(skops.get_untrusted_types(data=data))
    except _Refused as refused:
        raise ArtifactError(ESTIMATORS, f"{refused}.", _MEND) from None
    except Exception as error:  # a broken file can raise anything there
        raise ArtifactError(ESTIMATORS, f"not a skops file: {type(error).__name__}.", _MEND) from None


def _skops() -> Any:
    try:
        import skops.io
    except ImportError:
        mend = "pip install 'routeiq-routing-ml[skops]'"
        raise PluginError("routing-ml", "estimators need skops, which is not installed.", mend=mend) from None
    return skops.io


class _Refused(Exception):
    """A member of the archive that is not what an honest writer makes."""


def _sizes(data: bytes, most: int, *, nested: bool) -> int:
    """Bytes of all members unpacked. The size that a member declares bounds what is unpacked of it, so the sum of the
    declared sizes is checked before anything is unpacked.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if len(members) > _MOST_MEMBERS or len({member.filename for member in members}) != len(members):
            raise _Refused("too many members, or two of one name")
        total = sum(member.file_size for member in members)
        if total > most:
            raise _Refused(f"it unpacks to more than {most} bytes")
        for member in members:
            if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise _Refused("a member that is packed in an unusual way")
            with archive.open(member) as file:
                start = file.read(6)
                if start.startswith(b"PK"):  # a sparse matrix, which numpy keeps in an archive of its own
                    if nested:
                        raise _Refused("an archive in an archive in an archive")
                    total += _sizes(start + file.read(), most - total, nested=True)
                elif start == np.lib.format.MAGIC_PREFIX:
                    _array(io.BytesIO(start + file.read()), member.file_size)
    return total


def _array(file: io.BytesIO, size: int) -> None:
    """Refuse an array whose header claims more than its bytes: numpy would reserve it before it reads."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=_MOST_NPY_HEADER)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file, max_header_size=_MOST_NPY_HEADER)
    else:
        raise _Refused("an array in a form that is not known")
    if dtype.hasobject or any(axis < 0 for axis in shape):
        raise _Refused("an array of Python objects, or of an impossible shape")
    if math.prod(shape) * dtype.itemsize != size - file.tell():
        raise _Refused("an array whose shape its bytes do not fill")
