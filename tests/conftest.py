"""What a whole run says at its end, beside how many tests passed."""

from __future__ import annotations

import pytest

SHOWN = "shown"
"""The property under which a test records a line for the end of the run."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded, also from other processes."""
    reports = terminalreporter.stats.get("passed", ())
    lines = [value for report in reports for name, value in report.user_properties if name == SHOWN]
    for line in sorted(lines):
        terminalreporter.write_line(str(line))
