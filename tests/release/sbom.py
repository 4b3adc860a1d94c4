"""Lists what is installed in an environment as a CycloneDX 1.6 document, checked against its schema.

Run by `nox -s sbom`, in an environment that has cyclonedx-bom.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SPEC = "1.6"
_INSTALLERS = frozenset({"pip", "setuptools", "wheel"})


def listed(python: str, out: Path) -> None:
    """Write the document. The tool checks it against the schema, and fails if it does not fit."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--spec-version", SPEC, "--output-format", "JSON"]
    command += ["--output-reproducible", "--validate", "--output-file", str(out), python]
    subprocess.run(command, check=True)


def told_of(document: Any) -> list[str]:
    """Names and versions in it. Raises `SystemExit` for one that lacks its own distributions, or tells of a place."""
    components = {row["name"]: row for row in document.get("components", ())}
    if document.get("specVersion") != SPEC or not {"routeiq", "routeiq-sdk"} <= components.keys():
        raise SystemExit("the list lacks RouteIQ itself")
    for row in components.values():
        for reference in row.get("externalReferences", ()):
            if reference["url"].startswith("file:") or "PackageSource" in reference.get("comment", ""):
                raise SystemExit(f"the list tells where {row['name']} was installed from: {reference['url']}")
        if "purl" not in row or "version" not in row:
            raise SystemExit(f"the list does not identify {row['name']}")
    return [f"{name} {row['version']}" for name, row in sorted(components.items()) if name not in _INSTALLERS]


if __name__ == "__main__":
    listed(sys.argv[1], Path(sys.argv[2]))
    print(f"{sys.argv[2]}: {len(told_of(json.loads(Path(sys.argv[2]).read_text(encoding='utf-8'))))} distributions")
