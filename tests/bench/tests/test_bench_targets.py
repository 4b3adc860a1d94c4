"""Verdicts, the proxy bench's ratios, the gate, and the tables and JSON that show them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench.measure import Burst
from bench.proxy_targets import Figures, judge
from bench.report import Grid, Report, show, write_json
from bench.targets import NotMeasured, Standing, Target, at_least, at_most

FASTER = at_least("speed", "x", must=10, goal=16)
SMALLER = at_most("memory", "MiB", must=80)


def burst(contender: str, load: str, cpu_us: float, *, p50_ms: float = 1.0, bad: int = 0) -> Burst:
    return Burst(
        contender=contender,
        load=load,
        requests=1000,
        rps=1e6 / cpu_us,
        cpu_us=cpu_us,
        p50_ms=p50_ms,
        p99_ms=2 * p50_ms,
        core_use=1.0,
        foreign_cores=0.0,
        bad=bad,
        bytes_per_request=700,
        tree_pss_mib=50,
    )


@pytest.mark.parametrize(
    ("target", "value", "standing"),
    [
        (FASTER, 9.99, Standing.MISSED),
        (FASTER, 10.0, Standing.MET),
        (FASTER, 16.0, Standing.GOAL),
        (SMALLER, 80.0, Standing.MET),
        (SMALLER, 80.1, Standing.MISSED),
    ],
)
def test_a_target_is_met_at_its_bound_and_missed_beyond(target: Target, value: float, standing: Standing) -> None:
    assert target.judge(lambda: value).standing is standing


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    def nothing() -> float:
        raise NotMeasured("litellm at 16")

    verdict = FASTER.judge(nothing)
    assert (verdict.standing, verdict.value, verdict.note) == (Standing.NOT_MEASURED, None, "litellm at 16")


def test_the_ratios_are_of_the_best_rounds_cpu() -> None:
    figures = Figures(
        [
            burst("litellm", "16", 9000),
            burst("litellm", "16", 8000),
            burst("routeiq-standard", "16", 500),
            burst("routeiq-standard", "16", 400),
            burst("routeiq-minimal", "16", 320),
            burst("nginx", "16", 20),
        ]
    )
    values = {verdict.figure: verdict.value for verdict in judge(figures)}
    assert values["throughput a core over LiteLLM, c=16"] == pytest.approx(20)
    assert values["CPU a request over nginx, c=16"] == pytest.approx(20)
    assert values["CPU a request, default plugins over none, c=16"] == pytest.approx(1.25)
    assert values["throughput a core over LiteLLM, c=64"] is None


def test_the_fast_engine_is_the_quicker_of_those_measured() -> None:
    figures = Figures([burst("a", "16", 300), burst("b", "16", 200)])
    assert figures.quickest(["a", "b", "never run"], "16") == "b"
    with pytest.raises(NotMeasured, match="never run at 16"):
        figures.quickest(["never run"], "16")


def test_cheap_errors_are_not_taken_for_fast_answers() -> None:
    figures = Figures([burst("a", "16", 10, bad=900), burst("a", "16", 500, bad=1)])
    assert figures.best("a", "16").cpu_us == 500


def test_the_gate_wants_nothing_failed_nothing_missed_and_something_measured() -> None:
    def nothing() -> float:
        raise NotMeasured("litellm")

    met, missed, unknown = FASTER.judge(lambda: 12), FASTER.judge(lambda: 2), FASTER.judge(nothing)
    assert Report("proxy", verdicts=[met, unknown]).passes_gate()
    assert not Report("proxy", verdicts=[met, missed]).passes_gate()
    assert not Report("proxy", verdicts=[unknown]).passes_gate()
    assert not Report("proxy", verdicts=[met], failed={"litellm": "no answer"}).passes_gate()


def test_the_tables_show_every_cell_and_the_targets_come_last() -> None:
    report = Report(
        "proxy",
        grids=[Grid("load 16 [plain]", ("contender", "CPU [us]"), [("nginx", "18"), ("relay", "292")])],
        verdicts=[FASTER.judge(lambda: 12.345)],
        skipped={"portkey": "not installed: npm"},
    )
    screen = io.StringIO()
    show(report, Console(file=screen, width=150))
    text = screen.getvalue()
    for part in ("load 16 [plain]", "CPU [us]", "nginx", "292", "portkey: not installed: npm", "12.35 x", ">= 16 x"):
        assert part in text
    assert text.index("relay") < text.index("portkey") < text.index("Targets")


def test_the_json_holds_the_data_the_failures_and_the_verdicts(tmp_path: Path) -> None:
    data: dict[str, object] = {"bursts": [burst("nginx", "16", 18).as_dict()]}
    report = Report("proxy", data=data, verdicts=[FASTER.judge(lambda: 12)], failed={"litellm": "no answer"})
    write_json(report, tmp_path / "run.json")
    document = json.loads((tmp_path / "run.json").read_text())
    assert document["bench"] == "proxy"
    assert document["bursts"][0]["valid"] is True
    assert document["failed"] == {"litellm": "no answer"}
    assert document["targets"][0]["standing"] == "met"
