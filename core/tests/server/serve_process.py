"""Runs one server as its own process: `python serve_process.py SPEC_JSON`. Lines on stdout tell what happened."""

from __future__ import annotations

import sys

from serving_app import say

from routeiq.server.settings import WorkerSpec
from routeiq.server.supervisor import serve

if __name__ == "__main__":
    sys.exit(
        serve(
            WorkerSpec.from_json(sys.argv[1]),
            announce=say,
            complain=lambda line: say(f"error: {line}"),
        )
    )
