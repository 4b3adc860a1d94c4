"""Releases that no gateway runs beside, as data, and the look at what is installed. One row is one story.

It reads metadata alone. Which plugin may run is `plugins.policy`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, DistributionFinder, MetadataPathFinder

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from routeiq_sdk import ConfigError

_BURNT = "uninstall it, replace every key this machine could read, then install another release."


@dataclass(frozen=True, slots=True)
class Refused:
    """One row: `versions` is a PEP 440 range. Code of a `hostile` release ran already when it is found here."""

    distribution: str
    versions: str
    reason: str
    hostile: bool = True

    def __contains__(self, version: str) -> bool:
        try:
            return SpecifierSet(self.versions).contains(Version(version), prereleases=True)
        except InvalidVersion:
            return False

    def problem(self, version: str, place: str = "") -> ConfigError:
        """The error that names the release and the mend."""
        what = "a compromised release" if self.hostile else "a release with a known hole"
        mend = _BURNT if self.hostile else f"upgrade {self.distribution}."
        where = f" in {place}" if place else ""
        return ConfigError(f"{self.distribution} {version}{where} is {what}: {self.reason}.", mend=mend)


REFUSED = (
    Refused("litellm", "==1.82.7.*", "it sends keys and files away, PYSEC-2026-2"),
    Refused("litellm", "==1.82.8.*", "it sends keys and files away at each start of Python, PYSEC-2026-2"),
    Refused("litellm", "==1.107.*", "the series was published by somebody else"),
    Refused("telnyx", "==4.87.1", "it sends keys and files away, PYSEC-2026-3"),
    Refused("telnyx", "==4.87.2", "it sends keys and files away, PYSEC-2026-3"),
    Refused("lightning", "==2.6.2", "it sends keys away when it is imported, GHSA-w37p-236h-pfx3"),
    Refused("lightning", "==2.6.3", "it sends keys away when it is imported, GHSA-w37p-236h-pfx3"),
    Refused("pytorch-lightning", "==2.6.2", "it sends keys away when it is imported, GHSA-w37p-236h-pfx3"),
    Refused("pytorch-lightning", "==2.6.3", "it sends keys away when it is imported, GHSA-w37p-236h-pfx3"),
    Refused("ultralytics", ">=8.3.41,<8.3.43", "it starts a miner"),
    Refused("ultralytics", ">=8.3.45,<8.3.47", "it starts a miner"),
    Refused("num2words", ">=0.5.15,<0.5.17", "it was published by somebody else"),
    Refused("starlette", "<1.0.1", "a Host header changes the path that is authorised, CVE-2026-48710", hostile=False),
    Refused("skops", "<0.13", "a file runs code that was not listed, CVE-2025-54412 to 54886", hostile=False),
)


def refusal(distribution: str, version: str) -> ConfigError | None:
    """The error for a release that is refused; `None` for any other."""
    name = canonicalize_name(distribution)
    return next((row.problem(version) for row in REFUSED if row.distribution == name and version in row), None)


def problems() -> list[ConfigError]:
    """One error for each refused release that is installed, wherever on the path it lies."""
    return [
        row.problem(version, str(found.locate_file("")))
        for name in dict.fromkeys(row.distribution for row in REFUSED)
        for version, found in _installed(name)
        for row in REFUSED
        if row.distribution == name and version in row
    ]


def _installed(name: str) -> Iterator[tuple[str, Distribution]]:
    """Each copy on the path, one that is hidden behind another too. An entry without a version is left out: it has
    none to judge by."""
    for found in MetadataPathFinder.find_distributions(DistributionFinder.Context(name=name)):
        if version := found.metadata["Version"]:
            yield version, found
