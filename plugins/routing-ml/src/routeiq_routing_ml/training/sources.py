"""Records of outcomes from files, one at a time: JSON lines, CSV and Parquet, plain or gzipped, in one shape.

What a record must hold is checked in `rows`; which rows make a table is decided in `reading`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from routeiq_routing_ml.training.table import TrainingError
from routeiq_routing_ml.training.trainer import Progress

MOST_LINE: Final = 1 << 20
"""The longest line in bytes, and the longest prompt in characters."""
SCORE, COST, TOKENS_OUT = "score:", "cost:", "tokens_out:"
KINDS: Final = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
_STEP: Final = "reading"
_TOLD_EVERY: Final = 2000
_BATCH: Final = 1024
_PLAIN: Final = ("query", "task", "tokens_in", "tokens_out_est")

Record = tuple[int, Mapping[str, Any]]
"""A line or row, counted from 1, and what it holds: `query`, `scores`, `cost`, perhaps `task`, `tokens_in`, ..."""


def records(path: Path, progress: Progress) -> Iterator[Record]:
    """All records of a file; its ending tells the format. Raises `TrainingError` that names the place."""
    kind = next((kind for kind in KINDS if path.name.lower().endswith(kind)), None)
    if kind is None:
        raise TrainingError(f"{path}: this ending says of no known format.", f"use one of {', '.join(KINDS)}.")
    if not path.is_file():
        raise TrainingError(f"{path}: no such file.", "name a file of recorded outcomes.")
    if kind == ".parquet":
        return _parquet(path, progress)
    return (_jsonl if kind.startswith(".jsonl") else _csv)(path, progress)


def wrong(path: Path, line: int, message: str, mend: str) -> TrainingError:
    """The error of one line (of text) or row (of Parquet)."""
    place = f"{path}: row {line}" if path.suffix == ".parquet" else f"{path}:{line}"
    return TrainingError(f"{place}: {message}", mend)


def _jsonl(path: Path, progress: Progress) -> Iterator[Record]:
    for line, text in _lines(path, progress):
        if not text or text.isspace():
            continue
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "a value that cannot be read"
            raise wrong(path, line, f"not JSON: {reason}.", "write one JSON object a line.") from None
        if not isinstance(fields, dict):
            raise wrong(path, line, "not a JSON object.", "write one JSON object a line.")
        yield line, fields


def _csv(path: Path, progress: Progress) -> Iterator[Record]:
    csv.field_size_limit(max(csv.field_size_limit(), MOST_LINE))
    reader = csv.reader((text for _, text in _lines(path, progress)), strict=True)
    try:
        header = next(reader, None)
        if header is None:
            return
        shape = _flat(path, header, _cell)
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                told = f"{len(cells)} cells where the first line names {len(header)}."
                raise wrong(path, reader.line_num, told, "quote cells that hold commas or line breaks.")
            yield reader.line_num, shape(cells)
    except csv.Error as error:
        raise wrong(path, reader.line_num, f"not CSV: {error}.", "quote cells as RFC 4180 says.") from None


def _cell(text: str) -> str | float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return text


def _parquet(path: Path, progress: Progress) -> Iterator[Record]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        mend = "pip install 'routeiq-routing-ml[parquet]', or write the data as .jsonl."
        raise TrainingError(f"{path}: Parquet needs pyarrow, which is not installed.", mend) from None
    row = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            total = file.metadata.num_rows
            names = file.schema_arrow.names
            nested = "scores" in names
            shape = None if nested else _flat(path, names)
            for batch in file.iter_batches(batch_size=_BATCH):
                for fields in batch.to_pylist():
                    row += 1
                    yield row, _maps(fields) if shape is None else shape([fields[name] for name in names])
                progress(_STEP, row, total)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise TrainingError(f"{path}: not Parquet after row {row}: {reason}", "write the file again.") from None


def _maps(fields: dict[str, Any]) -> dict[str, Any]:
    """Arrow's maps come as lists of pairs."""
    return {
        name: dict(value) if isinstance(value, list) and all(isinstance(pair, tuple) for pair in value) else value
        for name, value in fields.items()
    }


def _as_it_is(value: Any) -> Any:
    return value


def _flat(
    path: Path, header: Sequence[str], number: Callable[[Any], Any] = _as_it_is
) -> Callable[[Sequence[Any]], dict[str, Any]]:
    """A function from the cells of a row to a record, for columns such as `score:MODEL`; `number` reads a cell."""
    names = [name.strip() for name in header]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise wrong(path, 1, f"the column {twice!r} occurs twice.", "give each column one name.")
    kinds = {
        key: [(place, name.removeprefix(prefix)) for place, name in enumerate(names) if name.startswith(prefix)]
        for key, prefix in (("scores", SCORE), ("cost", COST), ("tokens_out", TOKENS_OUT))
    }
    plain = [(place, name, number if name.startswith("tokens") else _as_it_is) for place, name in enumerate(names)]
    plain = [one for one in plain if one[1] in _PLAIN]

    def shape(cells: Sequence[Any]) -> dict[str, Any]:
        fields: dict[str, Any] = {
            key: {model: number(cells[place]) for place, model in at} for key, at in kinds.items()
        }
        return fields | {name: read(cells[place]) for place, name, read in plain}

    return shape


def _lines(path: Path, progress: Progress) -> Iterator[tuple[int, str]]:
    """Lines of text with their ends, counted from 1. Holds one line at a time."""
    size, number = path.stat().st_size, 0
    with path.open("rb") as raw:
        packed = path.name.lower().endswith(".gz")
        stream = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw
        try:
            while line := stream.readline(MOST_LINE + 1):
                number += 1
                if len(line) > MOST_LINE:
                    raise wrong(path, number, "a line of more than 1 MiB.", "shorten the prompt or drop the row.")
                if number % _TOLD_EVERY == 0:
                    progress(_STEP, raw.tell(), size)
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise wrong(path, number, "not UTF-8.", "save the file as UTF-8.") from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            reason = f"the gzip data is broken or cut off ({type(error).__name__})."
            raise wrong(path, number + 1, reason, "copy or write the file again.") from None
        except OSError as error:
            raise wrong(path, number + 1, f"cannot be read: {error.strerror}.", "check the file.") from None
    progress(_STEP, size, size)
