"""Estimators come back as they were; types that are not listed, and archives that lie about their size, do not."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from routeiq_routing_ml.artifact import estimators
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_sdk import PluginError

X = np.random.default_rng(7).normal(size=(60, 4))
LABELS = np.where(X[:, 0] > 0, "fast", "strong")
TREE = "sklearn.tree._tree.Tree"


class Own(BaseEstimator):  # type: ignore[misc]
    """An estimator that no scikit-learn knows."""


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def with_member(name: str, content: bytes) -> bytes:
    data = skops.io.dumps(LogisticRegression().fit(X, LABELS))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {member: file.read(member) for member in file.namelist()}
    return archive(members | {name: content})


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + data


def test_an_estimator_predicts_as_before() -> None:
    model = LogisticRegression().fit(X, LABELS)
    loaded = estimators.load(estimators.dump(model), frozenset())
    assert (loaded.predict(X) == model.predict(X)).all()


def test_a_tree_must_be_listed_by_name() -> None:
    model = RandomForestClassifier(3, random_state=0).fit(X, LABELS)
    data = estimators.dump(model)
    assert estimators.untrusted(data) == (TREE,)
    with pytest.raises(ArtifactError, match=TREE.replace(".", r"\.")) as caught:
        estimators.load(data, {"sklearn.tree._tree.Other"})
    assert "list these types" in caught.value.mend
    assert (estimators.load(data, estimators.STRUCTURES).predict(X) == model.predict(X)).all()


def test_a_type_of_ones_own_is_named_and_refused() -> None:
    with pytest.raises(ArtifactError, match="Own"):
        estimators.load(skops.io.dumps(Own()), estimators.STRUCTURES)


def test_what_skops_cannot_store_is_said() -> None:
    with pytest.raises(ValueError, match="skops cannot store"):
        estimators.dump(LogisticRegression(C=(number for number in (1,))))


def test_what_is_no_estimator_is_refused() -> None:
    with pytest.raises(ArtifactError, match="no estimator but list"):
        estimators.load(skops.io.dumps([1, 2]), frozenset())


BOMB = archive({"a.npy": bytes(4 << 20)})
SHAPE = "{{'descr': '<f8', 'fortran_order': False, 'shape': ({}), }}"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a skops file"),
        (b"PK\x03\x04" + bytes(100), "not a skops file"),
        (archive({"other.json": b"{}"}), "not a skops file"),
        (archive({"schema.json": b"[" * 100_000}), "not a skops file"),
        (archive({"schema.json": b"{}"}), "not a skops file"),
        (BOMB, "unpacks to more than"),
        (with_member("sparse.npz", BOMB), "unpacks to more than"),
        (with_member("innocent.txt", BOMB), "unpacks to more than"),
        (with_member("deep.npz", archive({"deeper": archive({"deepest": b"x"})})), "archive in an archive"),
        (with_member("x.npy", npy(SHAPE.format("1 << 40,"))), "not a skops file|known"),
        (with_member("x.npy", npy(SHAPE.format("1099511627776,"))), "do not fill"),
        (with_member("x.npy", npy(SHAPE.format("4,"), bytes(31))), "do not fill"),
        (with_member("x.npy", npy(SHAPE.format("-1,"), bytes(8))), "impossible shape"),
        (with_member("x.npy", npy(SHAPE.replace("<f8", "|O").format("1,"), bytes(8))), "Python objects"),
        (with_member("x.npy", npy(SHAPE.format("4,"), bytes(32), b"\x09\x00")), "not known"),
        (with_member("x.txt", npy(SHAPE.format("1099511627776,"))), "do not fill"),
        (archive({"schema.json": b"{}"}, zipfile.ZIP_LZMA), "unusual way"),
    ],
)
def test_an_archive_that_lies_or_explodes_is_refused(data: bytes, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimators, "MOST_BYTES", 1 << 20)
    with pytest.raises(ArtifactError, match=says):
        estimators.load(data, estimators.STRUCTURES)


def test_a_member_that_hides_its_size_unpacks_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimators, "MOST_BYTES", 1 << 20)
    real = (4 << 20).to_bytes(4, "little")
    hidden = BOMB.replace(real, (100).to_bytes(4, "little"))
    assert hidden != BOMB
    with pytest.raises(ArtifactError, match="not a skops file"):
        estimators.load(hidden, frozenset())


def test_two_members_of_one_name_are_refused() -> None:
    data = archive({"a.json": b"{}", "b.json": b"{}"}).replace(b"b.json", b"a.json")
    with pytest.raises(ArtifactError, match="two of one name"):
        estimators.load(data, frozenset())


def test_a_schema_that_names_code_imports_nothing() -> None:
    schema = {
        "__class__": "fly",
        "__module__": "antigravity",
        "__loader__": "FunctionNode",
        "__id__": 1,
        "protocol": 2,
    }
    with pytest.raises(ArtifactError, match=r"antigravity\.fly"):
        estimators.load(archive({"schema.json": json.dumps(schema).encode()}), estimators.STRUCTURES)
    assert "antigravity" not in sys.modules


def test_without_skops_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skops.io", None)
    calls: list[Any] = [lambda: estimators.dump(LogisticRegression()), lambda: estimators.load(b"", frozenset())]
    for call in calls:
        with pytest.raises(PluginError, match=r"routeiq-routing-ml\[skops\]"):
            call()
