"""Files of outcomes become the same table whatever their format; what is wrong is refused by file and line."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_routing_ml.features.ngrams import normalised
from routeiq_routing_ml.features.surface import surface
from routeiq_routing_ml.training.reading import read, read_table
from routeiq_routing_ml.training.table import Table, TrainingError

from .recorded_outcomes import MODELS, Rows, outcomes, write

ROWS = outcomes(40)


def as_csv(path: Path, rows: Rows) -> None:
    columns = [
        "task",
        "query",
        "tokens_in",
        *(f"{kind}:{m}" for kind in ("score", "cost", "tokens_out") for m in MODELS),
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in rows:
            cells = [row[key][m] for key in ("scores", "cost", "tokens_out") for m in MODELS]
            writer.writerow([row["task"], row["query"], row["tokens_in"], *cells])


def as_parquet(path: Path, rows: Rows, flat: bool = False) -> None:
    import pyarrow
    import pyarrow.parquet

    if flat:
        rows = [
            {"query": row["query"], "task": row["task"], "tokens_in": row["tokens_in"]}
            | {f"score:{m}": row["scores"][m] for m in MODELS}
            | {f"cost:{m}": row["cost"][m] for m in MODELS}
            | {f"tokens_out:{m}": row["tokens_out"][m] for m in MODELS}
            for row in rows
        ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def as_parquet_maps(path: Path, rows: Rows) -> None:
    import pyarrow
    import pyarrow.parquet

    by_model = pyarrow.map_(pyarrow.string(), pyarrow.float64())
    schema = pyarrow.schema(
        [("query", pyarrow.string()), ("task", pyarrow.string()), ("tokens_in", pyarrow.int64())]
        + [(key, by_model) for key in ("scores", "cost", "tokens_out")]
    )
    plain = [{name: row[name] for name in schema.names} for row in rows]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(plain, schema), path)


def as_gzip(path: Path, rows: Rows) -> None:
    path.write_bytes(gzip.compress(write(path.with_suffix(".tmp"), rows).read_bytes()))


FORMATS: dict[str, Callable[[Path, Rows], object]] = {
    "a.jsonl": write,
    "a.jsonl.gz": as_gzip,
    "a.csv": as_csv,
    "nested.parquet": as_parquet,
    "maps.parquet": as_parquet_maps,
    "flat.parquet": lambda path, rows: as_parquet(path, rows, flat=True),
}


def same(one: Table, other: Table) -> bool:
    arrays = ("quality", "cost", "tokens", "tokens_out")
    return (one.texts, one.models, one.tasks) == (other.texts, other.models, other.tasks) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_gives_the_same_table(tmp_path: Path, name: str) -> None:
    FORMATS[name](tmp_path / name, ROWS)
    table = read_table(tmp_path / name)
    assert table.models == MODELS
    assert table.texts == [row["query"] for row in ROWS]
    assert table.quality[:, 1].tolist() == [row["scores"]["coder"] for row in ROWS]
    assert same(table, read_table(write(tmp_path / "plain.jsonl", ROWS)))


def test_a_text_in_csv_that_looks_like_a_number_stays_a_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("query,task,score:a,score:b,cost:a,cost:b\n007,1e3,1,0,1,2\n")
    table = read_table(tmp_path / "a.csv")
    assert (table.texts, table.tasks) == (["007"], ["1e3"])


def changed(**more: Any) -> str:
    return json.dumps({**ROWS[0], **more})


def with_value(key: str, value: str) -> str:
    return json.dumps({**ROWS[0], key: {**ROWS[0][key], "coder": 12345.0}}).replace("12345.0", value)


BAD_LINES = {
    "not JSON": ("{broken", "not JSON"),
    "deep": ("[" * 100_000, "not JSON"),
    "a list": ("[1]", "not a JSON object"),
    "no query": (json.dumps({key: ROWS[0][key] for key in ("scores", "cost")}), "no `query`"),
    "an empty query": (changed(query=" "), "no `query`"),
    "a query that is a number": (changed(query=7), "no `query`"),
    "no scores": (changed(scores=None), "no `scores`"),
    "no costs": (changed(cost=3), "no `cost`"),
    "NaN": (with_value("scores", "NaN"), "score of 'coder' is nan"),
    "a negative score": (with_value("scores", "-0.1"), "score of 'coder' is -0.1"),
    "an infinite score": (with_value("scores", "1e999"), "score of 'coder' is inf"),
    "a score above 1": (with_value("scores", "5"), "score of 'coder' is 5"),
    "a score in words": (with_value("scores", '"good"'), "score of 'coder' is 'good'"),
    "a true score": (with_value("scores", "true"), "score of 'coder' is True"),
    "a huge score": (with_value("scores", "1" + "0" * 400), "score of 'coder' is a huge number"),
    "an infinite cost": (with_value("cost", "Infinity"), "cost of 'coder' is inf"),
    "a huge cost": (with_value("cost", "1" + "0" * 400), "cost of 'coder' is a huge number"),
    "a negative cost": (with_value("cost", "-1"), "cost of 'coder' is -1"),
    "a score without a cost": (with_value("cost", "null"), "model 'coder' has no cost"),
    "negative tokens": (changed(tokens_in=-1), "`tokens_in` is -1"),
    "tokens in words": (changed(tokens_out={"coder": "many"}), "`tokens_out` of 'coder' is 'many'"),
    "a model without a name": (changed(scores={"": 1}, cost={"": 1}), "no name for a model"),
    "a model that moves the cursor": (changed(scores={"a\x1b[2J": 1}, cost={"a\x1b[2J": 1}), "no name for a model"),
    "more than 1 MiB": (changed(query="x" * (1 << 20)), "a line of more than 1 MiB"),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_named_with_its_place_and_mend(tmp_path: Path, name: str) -> None:
    line, told = BAD_LINES[name]
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[:16]) + line + "\n", encoding="utf-8")
    with pytest.raises(TrainingError) as caught:
        read(path)
    assert f"{path}:17: " in str(caught.value)
    assert told in str(caught.value)
    assert " Mend: " in str(caught.value)
    assert len(str(caught.value)) < 600


def broken_file(folder: Path, name: str) -> Path:
    path = folder / name
    good = write(folder / "good.jsonl", ROWS).read_bytes()
    content = {
        "cut.jsonl.gz": gzip.compress(good)[:-200],
        "plain.jsonl.gz": good,
        "latin.jsonl": good + '{"query": "é"}'.encode("latin-1"),
        "cells.csv": b"query,score:a,cost:a,score:b,cost:b\nhello,1,1,1\n",
        "twice.csv": b"query,score:a,cost:a,score:a,cost:b\nhello,1,1,1,1\n",
        "quote.csv": b'query,score:a,cost:a,score:b,cost:b\n"hello,1,1,1,1\n',
        "bad.parquet": b"PAR1" + good,
    }[name]
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cut.jsonl.gz", "gzip data is broken or cut off"),
        ("plain.jsonl.gz", ":1: the gzip data is broken"),
        ("latin.jsonl", ":41: not UTF-8"),
        ("cells.csv", ":2: 4 cells where the first line names 5"),
        ("twice.csv", ":1: the column 'score:a' occurs twice"),
        ("quote.csv", ":2: not CSV"),
        ("bad.parquet", "not Parquet after row 0"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, name: str, told: str) -> None:
    path = broken_file(tmp_path, name)
    with pytest.raises(TrainingError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("name", "told"), [("a.xlsx", "no known format"), ("a.pkl", "no known format"), ("none.jsonl", "no such file")]
)
def test_other_formats_and_missing_files_are_refused(tmp_path: Path, name: str, told: str) -> None:
    if name != "none.jsonl":
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(TrainingError, match=told):
        read(tmp_path / name)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(TrainingError, match="no rows"):
        read(tmp_path / "a.jsonl")


def test_parquet_without_pyarrow_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_parquet(tmp_path / "a.parquet", ROWS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TrainingError, match=r"routeiq-routing-ml\[parquet\]"):
        read(tmp_path / "a.parquet")


def only(row: dict[str, Any], *models: str) -> dict[str, Any]:
    return {**row, "scores": {m: row["scores"][m] for m in models}}


def test_one_model_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [only(row, "small") for row in ROWS])
    with pytest.raises(TrainingError, match=r"two models .*small in 100%"):
        read(path)


def test_the_pool_is_what_nearly_all_rows_have_and_rows_short_of_it_are_skipped(tmp_path: Path) -> None:
    rows = [only(row, "small", "coder", *(["thinker"] if place % 2 else [])) for place, row in enumerate(ROWS)]
    rows[3] = only(ROWS[3], "small")
    found = read(write(tmp_path / "a.jsonl", rows))
    assert found.table.models == ("small", "coder")
    assert (found.rows, len(found.table), found.skipped) == (40, 39, 1)
    assert 3 not in found.chosen
    assert "40 rows read, 39 kept, 1 skipped" in found.summary()
    assert "'thinker' left out" in found.summary()


def test_given_models_are_the_pool_and_others_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", ROWS)
    assert read(path, models=["thinker", "small", "coder"]).table.models == ("thinker", "small", "coder")
    with pytest.raises(TrainingError, match=":1: the model 'thinker' is not one of coder, small"):
        read(path, models=["small", "coder"])
    with pytest.raises(TrainingError, match="no row has a score of 'giant'"):
        read(path, models=[*MODELS, "giant"])


def test_a_sample_is_seeded_in_file_order_and_as_large_as_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", outcomes(300))
    one, again, other = read(path, most=50), read(path, most=50), read(path, most=50, seed=1)
    assert one.chosen.tolist() == again.chosen.tolist() == sorted(one.chosen.tolist())
    assert one.chosen.tolist() != other.chosen.tolist()
    assert (one.rows, one.sampled, len(set(one.chosen))) == (300, 50, 50)
    assert [text.split()[-1] for text in one.table.texts] == [str(row) for row in one.chosen]


def test_each_row_is_as_likely_in_the_sample(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", outcomes(60))
    hits = np.zeros(60)
    for seed in range(400):
        hits[read(path, most=15, seed=seed).chosen] += 1
    expected = 400 * 15 / 60
    assert ((hits - expected) ** 2 / expected).sum() < 110  # chi-square, 59 degrees: 1e-4


def test_many_rows_pass_through_little_memory(tmp_path: Path) -> None:
    line = json.dumps({"query": "what is the capital of", "scores": {"a": 1, "b": 0.5}, "cost": {"a": 1, "b": 2}})
    with gzip.open(tmp_path / "a.jsonl.gz", "wb", compresslevel=1) as file:
        for _ in range(30):
            file.write((line + "\n").encode() * 10_000)
    code = (
        "import resource, sys\n"
        "from routeiq_routing_ml.training.reading import read\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "found = read(sys.argv[1], most=5000)\n"
        "print(found.rows, len(found.table), peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.jsonl.gz")], capture_output=True, text=True, check=True
    )
    rows, kept, kib = map(int, done.stdout.split())
    assert (rows, kept) == (300_000, 5000)
    assert kib < 40 * 1024


@given(st.text(min_size=1, max_size=60).filter(lambda text: not text.isspace()))
def test_any_text_may_be_a_query(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("data") / "a.jsonl"
    table = read_table(write(path, [{**ROWS[0], "query": text}]))
    assert table.texts == [text]


def test_a_shortened_prompt_has_the_features_of_the_whole(tmp_path: Path) -> None:
    text = "".join(f"word{number} {number % 7}? " for number in range(9000))
    short = read_table(write(tmp_path / "a.jsonl", [{**ROWS[0], "query": text}])).texts[0]
    assert len(short) < 22_000 < len(text)
    assert normalised(short) == normalised(text)
    assert surface(short).tolist() == surface(text).tolist()
