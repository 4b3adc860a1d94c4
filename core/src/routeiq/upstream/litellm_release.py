"""Which releases of litellm may be imported at all, read from the installed metadata and never from the package.

Importing it is `litellm_library`'s business.
"""

from __future__ import annotations

import re
from importlib import metadata

from routeiq.installed.releases import refusal
from routeiq_sdk import ConfigError

INSTALL = 'pip install "routeiq[litellm]"'
OLDEST = (1, 83, 7)

_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def installed() -> bool:
    """Whether litellm is installed, found without importing it."""
    return installed_version() is not None


def installed_version() -> str | None:
    """The installed version, `None` when there is none."""
    try:
        return metadata.version("litellm")
    except metadata.PackageNotFoundError:
        return None


def check_release(version: str | None) -> None:
    """Refuse to go on without a release that may be imported. Raises `ConfigError`."""
    if version is None:
        raise ConfigError("a deployment in model_list needs litellm, which is not installed", mend=INSTALL)
    numbers = _NUMBERS.match(version)
    if numbers is None:
        raise ConfigError(f"litellm has a version that cannot be read: {version!r}", mend=INSTALL)
    release = (int(numbers[1]), int(numbers[2]), int(numbers[3] or 0))
    refused = refusal("litellm", version)
    if refused is not None:
        raise refused
    if release < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ConfigError(
            f"litellm {version} has known security holes; {oldest} is the oldest that is used", mend=INSTALL
        )
