"""A page of metrics as the official client's parsers read it, and the ways to get one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.samples import Sample

from routeiq_testkit.gateway import TestGateway


@dataclass(frozen=True)
class Scraped:
    """One reading."""

    families: dict[str, Metric]

    @classmethod
    def of(cls, text: str, *, openmetrics: bool = False) -> Scraped:
        parsed: Iterable[Metric] = parse_openmetrics(text) if openmetrics else parse_text(text)
        return cls({family.name: family for family in parsed})

    def samples(self, name: str, **labels: str) -> Iterator[Sample]:
        """Samples of this name that have these labels."""
        for family in self.families.values():
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    yield sample

    def sum(self, name: str, **labels: str) -> float:
        """The sum of samples."""
        return sum(float(sample.value) for sample in self.samples(name, **labels))

    def one(self, name: str, **labels: str) -> Sample:
        """The only sample."""
        (found,) = self.samples(name, **labels)
        return found

    @property
    def names(self) -> set[str]:
        """Names of all samples."""
        return {sample.name for family in self.families.values() for sample in family.samples}


Scrape = Callable[..., Awaitable[Scraped]]


@pytest.fixture
def scrape() -> Scrape:
    """Reads `/metrics` of a gateway with its master key."""

    async def read(running: TestGateway, *, openmetrics: bool = False) -> Scraped:
        accept = "application/openmetrics-text; version=1.0.0" if openmetrics else "text/plain"
        async with running.session.get("/metrics", headers={"accept": accept}) as response:
            assert response.status == 200
            return Scraped.of(await response.text(), openmetrics=openmetrics)

    return read


@pytest.fixture
def scraped_text() -> Callable[..., Scraped]:
    """Reads a page that is at hand."""
    return Scraped.of
