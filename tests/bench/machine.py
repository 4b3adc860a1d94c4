"""What was measured on what: processor, kernel, versions of the contenders and their parts.
Goes into every JSON file, since a number without its machine is worth little."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.provision import BenchSetupError, tool

PARTS = ("routeiq", "hypercorn", "uvicorn", "granian", "aiohttp", "uvloop", "httptools")


def describe(cache: Path) -> dict[str, object]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {**_installed(), **_contenders(cache)},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _installed() -> dict[str, str]:
    found = {}
    for part in PARTS:
        try:
            found[part] = version(part)
        except PackageNotFoundError:
            continue
    return found


def _contenders(cache: Path) -> dict[str, str]:
    found = {}
    for folder in (cache / "litellm").glob("lib/python*/site-packages/litellm-*.dist-info"):
        found["litellm"] = folder.name.removeprefix("litellm-").removesuffix(".dist-info")
    try:
        answer = subprocess.run([tool("nginx"), "-v"], capture_output=True, text=True, timeout=10)
        found["nginx"] = answer.stderr.strip().rpartition("/")[2]
    except BenchSetupError:
        pass  # a run without nginx names no nginx
    return found
