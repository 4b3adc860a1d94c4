"""The one error of this room: an artifact, key or version file that is not trusted, with the mend.

Nothing is checked here.
"""

from __future__ import annotations

from pathlib import Path

from routeiq_sdk import RouteIQError


class ArtifactError(RouteIQError):
    """Something about a router artifact is refused. `path` is the file or folder, `reason` what is wrong, `mend` what
    to do about it. The message holds no key and no content of the artifact.
    """

    def __init__(self, path: Path | str, reason: str, mend: str) -> None:
        self.path = str(path)
        self.reason = reason
        self.mend = mend
        super().__init__(f"{self.path}: {reason} Mend: {mend}")
