"""Reading loads and wrk's summary, and one real second of wrk against the mock."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.arena import mock_upstream
from bench.load import Load, LoadFailed, Mode, parse_wrk, run_wrk
from bench.measure import burst_seconds

COUNTED = (
    '{"requests":111569,"seconds":2.0006,"bytes":81556939,"bad_status":3,"socket_errors":2,'
    '"p50_ms":0.268,"p99_ms":0.583}'
)
SUMMARY = f"""Running 2s test @ http://127.0.0.1:4000
  1 threads and 16 connections
Requests/sec:  55767.60
BENCH {COUNTED}
"""


def test_the_summary_is_found_among_what_wrk_prints() -> None:
    answered = parse_wrk(SUMMARY)
    assert (answered.requests, answered.bad_status, answered.socket_errors) == (111569, 3, 2)
    assert answered.seconds == pytest.approx(2.0006)
    assert (answered.p50_ms, answered.p99_ms) == (0.268, 0.583)


def test_output_without_a_summary_is_an_error_that_shows_it() -> None:
    with pytest.raises(LoadFailed, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused")


@pytest.mark.parametrize("text", ["1", "16s", "64p"])
def test_a_load_reads_as_it_is_written(text: str) -> None:
    assert str(Load.parse(text)) == text


@pytest.mark.parametrize("text", ["", "0", "s", "16x", "16ss", "-1"])
def test_a_load_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a number of connections"):
        Load.parse(text)


def test_a_slow_contender_gets_longer_bursts_within_a_bound() -> None:
    assert burst_seconds(4, Load(64), expected_rps=2000) == 4
    assert burst_seconds(4, Load(64), expected_rps=80) == 8
    assert burst_seconds(4, Load(64), expected_rps=0) == 20


@pytest.mark.parametrize(("mode", "least_bytes"), [(Mode.PLAIN, 500), (Mode.STREAM, 30 * 100)])
def test_wrk_counts_whole_answers_of_the_mock(mode: Mode, least_bytes: int, tmp_path: Path) -> None:
    with mock_upstream(tmp_path, gap_ms=0) as (_, port):
        answered = run_wrk(port, Load(2, mode), 1, core=0, model="any", headers={"Authorization": "Bearer x"})
    assert answered.requests > 0
    assert (answered.bad_status, answered.socket_errors) == (0, 0)
    assert answered.bytes / answered.requests >= least_bytes
