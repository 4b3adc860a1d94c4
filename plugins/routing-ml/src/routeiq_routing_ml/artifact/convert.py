"""Turns a pickle or joblib file of an estimator into skops bytes, by a child process with next to no rights.

For whoever moves an old router to an artifact, once and by hand. The gateway never calls it.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from routeiq_routing_ml.artifact import estimators, files
from routeiq_routing_ml.artifact.errors import ArtifactError

ESTIMATORS: Final = estimators.STRUCTURES | {
    f"sklearn.{name}"
    for name in (
        "_loss._loss.CyHalfBinomialLoss",
        "_loss._loss.CyHalfMultinomialLoss",
        "_loss._loss.CyHalfSquaredError",
        "_loss.link.IdentityLink",
        "_loss.link.Interval",
        "_loss.link.LogitLink",
        "_loss.link.MultinomialLogit",
        "_loss.loss.HalfBinomialLoss",
        "_loss.loss.HalfMultinomialLoss",
        "_loss.loss.HalfSquaredError",
        "calibration.CalibratedClassifierCV",
        "cluster._kmeans.KMeans",
        "cluster._kmeans.MiniBatchKMeans",
        "decomposition._pca.PCA",
        "decomposition._truncated_svd.TruncatedSVD",
        "dummy.DummyClassifier",
        "dummy.DummyRegressor",
        "ensemble._forest.ExtraTreesClassifier",
        "ensemble._forest.ExtraTreesRegressor",
        "ensemble._forest.RandomForestClassifier",
        "ensemble._forest.RandomForestRegressor",
        "ensemble._gb.GradientBoostingClassifier",
        "ensemble._gb.GradientBoostingRegressor",
        "ensemble._hist_gradient_boosting.binning._BinMapper",
        "ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
        "ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
        "isotonic.IsotonicRegression",
        "linear_model._base.LinearRegression",
        "linear_model._bayes.BayesianRidge",
        "linear_model._coordinate_descent.ElasticNet",
        "linear_model._coordinate_descent.Lasso",
        "linear_model._logistic.LogisticRegression",
        "linear_model._ridge.Ridge",
        "linear_model._ridge.RidgeClassifier",
        "multiclass.OneVsRestClassifier",
        "multioutput.MultiOutputClassifier",
        "multioutput.MultiOutputRegressor",
        "naive_bayes.GaussianNB",
        "neighbors._classification.KNeighborsClassifier",
        "neighbors._regression.KNeighborsRegressor",
        "neural_network._multilayer_perceptron.MLPClassifier",
        "neural_network._multilayer_perceptron.MLPRegressor",
        "pipeline.Pipeline",
        "preprocessing._data.MinMaxScaler",
        "preprocessing._data.Normalizer",
        "preprocessing._data.StandardScaler",
        "preprocessing._label.LabelBinarizer",
        "preprocessing._label.LabelEncoder",
        "svm._classes.LinearSVC",
        "svm._classes.SVC",
        "svm._classes.SVR",
        "tree._classes.DecisionTreeClassifier",
        "tree._classes.DecisionTreeRegressor",
        "tree._classes.ExtraTreeClassifier",
        "tree._classes.ExtraTreeRegressor",
    )
}
"""The classes that routers are usually made of, by the names that pickles spell them with."""

_CHILD: Final = Path(__file__).with_name("convert_child.py")
_LIBRARIES: Final = ("skops", "sklearn", "scipy", "numpy", "joblib", "threadpoolctl", "packaging", "prettytable")
_CHUNK: Final = 1 << 20
_MEND: Final = "train the router again; a pickle that you did not make yourself is best deleted."


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the child may use: processor `seconds` (and three times that by the clock), bytes of `memory` (address
    space), and bytes of the pickle and of the answer.
    """

    seconds: int = 60
    memory: int = 4 << 30
    size: int = estimators.MOST_BYTES


def convert(
    pickle_path: Path | str,
    out_path: Path | str,
    allowed: Iterable[str] = ESTIMATORS,
    *,
    bounds: Bounds = Bounds(),
) -> tuple[str, ...]:
    """Read the estimator in a pickle or joblib file and write it to `out_path` as skops bytes.

    `allowed` lists by full name the classes that the pickle may look up. Returns the names that must be allowed when
    the result is loaded. Raises `ArtifactError`, with nothing written, for whatever else the pickle asks for.
    """
    source, target = Path(pickle_path), Path(out_path)
    listed = frozenset(allowed)
    try:
        with files.opened(source) as (file, _):
            data = _ask(source, file, listed, bounds)
    except FileNotFoundError:
        raise ArtifactError(source, "no such file.", "name a pickle or joblib file.") from None
    needed = estimators.untrusted(data)
    unlisted = sorted(set(needed) - listed)
    if unlisted:
        raise ArtifactError(source, f"its result holds types that are not listed: {', '.join(unlisted[:5])}.", _MEND)
    try:
        files.replace(target, data, mode=0o666)
    except OSError as error:
        raise ArtifactError(target, f"cannot be written: {error.strerror}.", "name another place.") from None
    return needed


def _ask(source: Path, file: BinaryIO, allowed: frozenset[str], bounds: Bounds) -> bytes:
    job = {
        "paths": _paths(),
        "allowed": sorted(allowed),
        "seconds": bounds.seconds,
        "memory": bounds.memory,
        "bytes": bounds.size,
    }
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", str(_CHILD), json.dumps(job)],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
    )
    clock = threading.Timer(3 * bounds.seconds, child.kill)
    clock.start()
    try:
        with child:
            answer = _all(child, bounds.size + 1)
    finally:
        clock.cancel()
    if child.returncode < 0 or not answer:
        reason = f"the child that read it ended by signal or limit (exit {child.returncode})."
        raise ArtifactError(source, reason, _MEND)
    if child.returncode or not answer.startswith(b"+"):
        reason = answer[1:2000].decode(errors="replace")
        raise ArtifactError(source, f"{reason}.", _MEND)
    return answer[1:]


def _all(child: subprocess.Popen[bytes], most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while child.stdout is not None and (part := child.stdout.read(_CHUNK)):
        parts.append(part)
        size += len(part)
        if size > most:
            child.kill()
            return b""
    return b"".join(parts)


def _paths() -> list[str]:
    """Where the libraries lie that the child needs. It gets these folders and not the environment's start-up files."""
    found: dict[str, None] = {}
    for name in _LIBRARIES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            found[str(Path(spec.origin).parent.parent)] = None
    return list(found)
