"""A process that crashes leaves no copy of its memory: keys, prompts and answers are in it.

What a crash says in the log is not touched.
"""

from __future__ import annotations

import sys


def no_core_dumps() -> None:
    """Forbid core files to this process and to those it starts; for good, since the hard limit goes down too."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
