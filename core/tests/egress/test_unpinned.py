"""What is looked at before a library that opens its own connections is told where to go."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from routeiq.egress import Egress, EgressPolicy, EgressRefused


def egress(*told: str) -> Egress:
    async def look_up(host: str, port: int) -> Sequence[str]:
        if not told:
            raise OSError("no such name")
        return told

    return Egress(EgressPolicy(), lookup=look_up)


@pytest.mark.parametrize(
    "target",
    [
        "169.254.169.254",
        "169.254.169.254:9092",
        "http://169.254.169.254:4317",
        "grpc://[fd00:ec2::254]:4317",
        "SASL_SSL://[::ffff:169.254.169.254]:9092",
        "metadata",
        "METADATA.google.internal:80",
        "100.100.100.200:9092",
    ],
)
async def test_metadata_is_refused_as_written(target: str) -> None:
    with pytest.raises(EgressRefused, match="metadata"):
        await egress("93.184.216.34").check(target)


@pytest.mark.parametrize(
    "target", ["0xA9FEA9FE:80", "2852039166", "http://a@169.254.169.254", "metadata.google.internal.:80", "", "x y"]
)
async def test_another_spelling_is_refused_as_no_address(target: str) -> None:
    with pytest.raises(EgressRefused):
        await egress("93.184.216.34").check(target)


@pytest.mark.parametrize("bad", ["169.254.169.254", "fd00:ec2::254", "::ffff:168.63.129.16", "64:ff9b::a9fe:a9fe"])
async def test_one_metadata_address_spoils_a_name(bad: str) -> None:
    for told in ([bad], ["10.0.0.1", bad]):
        with pytest.raises(EgressRefused, match="metadata"):
            await egress(*told).check("broker.example:9092")


@pytest.mark.parametrize(
    "target", ["kafka:9092", "localhost:4317", "http://10.0.0.7:4317/x", "[::1]:9092", "a.example"]
)
async def test_what_an_operator_may_write_passes(target: str) -> None:
    await egress("10.0.0.1", "fe80::1%lo").check(target)


async def test_a_name_without_an_address_may_come_later() -> None:
    await egress().check("broker.example:9092")
