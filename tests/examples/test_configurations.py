"""Every YAML of the examples passes `routeiq check`, every example is in the table, and links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
CONFIGS = sorted(path for path in EXAMPLES.rglob("*.yaml") if path.name != "compose.yaml")
# What its readme installs first. The test of that example serves the file with the plugin in place.
WITH_ITS_PLUGIN = {EXAMPLES / "guard-in-20-lines" / "routeiq.yaml"}
KEY = "sk-41c7d9e2f05b38a6"
CHECK_SECONDS = 60


def named(path: Path) -> str:
    return str(path.relative_to(EXAMPLES))


@pytest.mark.parametrize("config", [path for path in CONFIGS if path not in WITH_ITS_PLUGIN], ids=named)
def test_a_configuration_passes_check(config: Path) -> None:
    text = config.read_text(encoding="utf-8")
    variables = set(re.findall(r"os\.environ/(\w+)", text))
    urls = {name for name in variables if name == "SIMULATED_MODELS" or name.endswith("_URL")}
    values = {name: "http://127.0.0.1:9/v1" if name in urls else KEY for name in variables}
    checked = subprocess.run(
        [sys.executable, "-m", "routeiq", "check", "--config", str(config)],
        env={"PATH": os.environ["PATH"], **values},
        capture_output=True,
        text=True,
        timeout=CHECK_SECONDS,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "unknown" not in checked.stdout, "a key that nobody knows"


def test_the_litellm_example_has_nothing_of_ours() -> None:
    assert "routeiq" not in yaml.safe_load((EXAMPLES / "litellm-as-is" / "config.yaml").read_text(encoding="utf-8"))


def test_every_example_is_in_the_table() -> None:
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    linked = {link.split("/")[0] for link in re.findall(r"\]\(([^)]+)\)", table)}
    parts_of_the_demo = {"live_demo"}
    there = {path.name for path in EXAMPLES.iterdir() if not path.name.startswith(("_", "."))}
    assert there - {"README.md"} - parts_of_the_demo == linked


@pytest.mark.parametrize("page", sorted(EXAMPLES.rglob("README.md")), ids=named)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link
