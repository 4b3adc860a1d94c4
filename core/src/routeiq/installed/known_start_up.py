"""Start-up code that is known to be harmless, as data: the exact text of each file, and who must have brought it.

Which files there are is found in `start_up`.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Known:
    """A file whose one line of code is exactly `line`. It counts when the distribution `owner` installed it and the
    modules it names, unchanged since; or when each such module has one of the digests in `modules`."""

    name: str
    line: str
    owner: str | None = None
    modules: frozenset[str] = frozenset()


KNOWN = (
    Known(
        "distutils-precedence.pth",
        "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
        "enabled and __import__('_distutils_hack').add_shim(); ",
        owner="setuptools",
    ),
    Known(
        "a1_coverage.pth",
        'import sys; exec(\'import os\\n\\nif os.getenv("COVERAGE_PROCESS_START") or '
        'os.getenv("COVERAGE_PROCESS_CONFIG"):\\n try:\\n  import coverage\\n except:\\n  pass\\n else:\\n  '
        'coverage.process_startup(slug="pth")\')',
        owner="coverage",
    ),
    Known(
        "_virtualenv.pth",
        "import _virtualenv",
        modules=frozenset({"cfe56cafbd68fd31a0e87100f111d7d2f6b7157241096500013c07e88d80a22f"}),
    ),
    Known(
        "sitecustomize.py",  # Debian's and Ubuntu's: it looks for apport, and does nothing without
        "",
        modules=frozenset({"43d81125d92376b1a69d53a71126a041cc9a18d8080e92dea0a2ae23be138b1e"}),
    ),
)
EDITABLE = re.compile(r"import (__editable___\w+_finder); \1\.install\(\)|import _editable_impl_\w+")
"""What build back-ends write for a distribution that is installed from its source folder."""


def as_shipped(owner: str, files: Iterable[Path]) -> bool:
    """Whether the distribution `owner` recorded each of the files, and each still has the recorded digest."""
    try:
        installed = distribution(owner)
    except PackageNotFoundError:
        return False
    recorded = {
        Path(str(installed.locate_file(row[0]))).resolve(): row[1]
        for row in csv.reader((installed.read_text("RECORD") or "").splitlines())
        if len(row) > 1
    }
    return all(recorded.get(file.resolve()) == f"sha256={_urlsafe(file)}" for file in files)


def sha256(file: Path) -> str:
    """The digest of one file, in hex; empty when it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _urlsafe(file: Path) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(sha256(file))).decode().rstrip("=")
