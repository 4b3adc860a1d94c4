"""Whether the audit trail keeps its promises: a killed gateway, sinks that stop, a full disk, tampering, split brain,
torn writes. A real gateway, a real S3 protocol (moto), objects read back and verified from themselves alone."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from bench import arena, audit_ocsf, audit_tampering
from bench.audit_bed import BUCKET, S3, Clients, Gateway, read_lines, request_ids, sinks, small_disk, verify
from bench.provision import require
from bench.registry import Bench
from bench.report import Grid, Report
from bench.targets import NotMeasured, at_least, at_most

LOST = at_most("L1 acknowledged requests missing in a sink", "events", must=0)
TWICE = at_most("L1 events that stand in two objects of S3", "events", must=0)
VERIFIED = at_most("L1 sinks whose trail does not verify", "sinks", must=0)
SLOWER = at_most("L2 p99 while a sink is down over p99 before", "%", must=10)
DRAINED = at_least("L2 drain over the rate of arrival", "x", must=5)
REFUSED = at_least("L3 answers on a full disk that are 503 (closed class)", "%", must=100)
RESUMED = at_least("L3 answers once there is room again", "%", must=100)
FOUND = at_least("L4 tamperings found", "%", must=100)
NAMED = at_least("L4 with the right first bad sequence", "%", must=100)
SPLIT = at_most("L5 objects twice or events missing with two shippers", "events", must=0)
TORN = at_most("L6 complete entries lost to a torn write", "entries", must=0)
OCSF = at_least("L7 events that are valid OCSF", "%", must=100)
LOCKS = at_least("L8 objects with the retention that was asked for", "%", must=100)
_SEAL = {"bytes": 262_144, "seconds": 1}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--events", type=int, default=100_000, help="answered requests of L1 (default: %(default)s)")
    parser.add_argument("--kill-every", type=float, default=2.0, help="seconds of life of L1's gateway (%(default)s)")
    parser.add_argument("--sink-seconds", type=float, default=30.0, help="how long L1's S3 is stopped or up (30)")
    parser.add_argument("--down", type=float, default=60.0, help="seconds L2's sink is down (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=300.0, help="L2's requests a second (default: %(default)s)")
    parser.add_argument("--tamperings", type=int, default=1000, help="L4 (default: %(default)s)")
    parser.add_argument("--trail", type=int, default=10_000, help="events of L4's trail (default: %(default)s)")
    parser.add_argument("--only", default="L1,L2,L3,L4,L5,L6,L7,L8", help="by comma (default: all)")


def run(args: argparse.Namespace, console: Console) -> Report:
    require("cc")
    report = Report("audit")
    wanted = set(args.only.split(","))
    facts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as name, ExitStack() as stack:
        folder = Path(name)
        _, upstream = stack.enter_context(arena.mock_upstream(args.cache, 0))
        if "L1" in wanted:
            facts["L1"] = asyncio.run(_l1(_made(folder, "l1"), upstream, args, console))
        if "L2" in wanted:
            facts["L2"] = asyncio.run(_l2(_made(folder, "l2"), upstream, args, console))
        if "L3" in wanted:
            try:
                facts["L3"] = asyncio.run(_l3(_made(folder, "l3"), upstream, console))
            except PermissionError as error:
                report.skipped["L3"] = str(error)
        if wanted & {"L4", "L7"}:
            trail = _made(folder, "trail")
            asyncio.run(_trail(trail, upstream, args.trail, console))
            if "L4" in wanted:
                facts["L4"] = audit_tampering.tamper(trail / "audit", args.tamperings, console)
            if "L7" in wanted:
                facts["L7"] = audit_ocsf.valid(trail / "audit")
        if "L5" in wanted:
            facts["L5"] = asyncio.run(audit_tampering.split_brain(_made(folder, "l5"), console))
        if "L6" in wanted:
            facts["L6"] = asyncio.run(audit_tampering.torn(_made(folder, "l6")))
    _judge(report, facts)
    report.data = facts
    return report


def _made(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def _judge(report: Report, facts: dict[str, Any]) -> None:
    def fact(part: str, name: str) -> float:
        if part not in facts:
            raise NotMeasured(part)
        return float(facts[part][name])

    for target, part, name in (
        (LOST, "L1", "lost"),
        (TWICE, "L1", "twice"),
        (VERIFIED, "L1", "bad"),
        (SLOWER, "L2", "slower"),
        (DRAINED, "L2", "drained"),
        (REFUSED, "L3", "refused"),
        (RESUMED, "L3", "resumed"),
        (FOUND, "L4", "found"),
        (NAMED, "L4", "named"),
        (SPLIT, "L5", "wrong"),
        (TORN, "L6", "lost"),
        (OCSF, "L7", "valid"),
        (LOCKS, "L1", "locked"),
    ):
        report.verdicts.append(target.judge(lambda p=part, n=name: fact(p, n)))  # type: ignore[misc]
    for part, told in sorted(facts.items()):
        report.grids.append(Grid(part, ("", ""), [(name, str(value)) for name, value in told.items()]))


def _audit(folder: Path, s3: S3 | None, **more: Any) -> dict[str, Any]:
    return {"spool": str(folder / "spool"), "sinks": sinks(folder, s3), "seal": _SEAL, **more}


async def _l1(folder: Path, upstream: int, args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """kill -9 every so often, S3 stopped half of the time; at the end every answered request is in both sinks."""
    s3 = S3()
    await asyncio.to_thread(s3.open)
    gateway = Gateway(folder, upstream, _audit(folder, s3, classes={"request": "closed"}))
    clients = Clients(gateway)
    kills = stops = 0
    began = time.monotonic()
    try:
        await gateway.start()
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("L1: answered requests", total=args.events)
            asking = asyncio.ensure_future(clients.until(args.events, 64))
            stopped, turn = False, time.monotonic()
            while not asking.done():
                await asyncio.wait((asking,), timeout=args.kill_every)
                progress.update(task, completed=len(clients.answered))
                if time.monotonic() - turn >= args.sink_seconds:
                    stopped, turn = not stopped, time.monotonic()
                    (s3.pause if stopped else s3.resume)()
                    stops += stopped
                if not asking.done():
                    gateway.kill()
                    kills += 1
                    await gateway.start()
            await asking
        s3.resume()
        took = time.monotonic() - began
        await _shipped(folder / "spool", 300.0)
        gateway.stop()
        versions = await asyncio.to_thread(s3.download, folder / "s3")
        locked = await asyncio.to_thread(_locked, s3, versions)
    finally:
        s3.kill()
        gateway.kill()
    lost, twice = 0, 0
    for sink in ("audit", "s3"):
        ids, double = request_ids(folder / sink)
        lost += len(clients.answered - ids)
        twice += double
    told = {sink: verify(folder / sink) for sink in ("audit", "s3")}
    bad = sum(code != 0 for code, _ in told.values())
    return {
        "answered": len(clients.answered),
        "kills": kills,
        "S3 stopped": stops,
        "requests a second": round(len(clients.answered) / took),
        "broken off": clients.broken,
        "objects": len(versions) // 2,
        "object versions beyond the first": len(versions) - len(set(versions)),
        "lost": lost,
        "twice": twice + len(versions) - len(set(versions)),
        "verify": {sink: "holds" if code == 0 else report for sink, (code, report) in told.items()},
        "bad": bad,
        "locked": locked,
    }


def _locked(s3: S3, names: list[str]) -> float:
    """Per cent of the objects whose head tells the retention that was asked for."""
    sealed = [name for name in set(names) if name.endswith(".jsonl.zst")]
    right = 0
    for name in sealed:
        head = s3.client().head_object(Bucket=BUCKET, Key=name)
        right += head.get("ObjectLockMode") == "COMPLIANCE" and "ObjectLockRetainUntilDate" in head
    return 100.0 * right / max(1, len(sealed))


async def _shipped(spool: Path, seconds: float) -> None:
    """Wait until nothing waits to be shipped. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        quiet = 0
        while quiet < 4:
            quiet = 0 if any(spool.glob("outbox-*/*/facts.json")) else quiet + 1
            await asyncio.sleep(0.5)


async def _l2(folder: Path, upstream: int, args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """A steady rate, first with S3 up, then with S3 down, then up again until all is shipped."""
    s3 = S3()
    await asyncio.to_thread(s3.open)
    gateway = Gateway(folder, upstream, _audit(folder, s3))
    try:
        await gateway.start()
        await Clients(gateway).during(5.0, args.rate)
        with console.status("L2: S3 up, then down"):
            up, down = Clients(gateway), Clients(gateway)
            await up.during(min(args.down, 30.0), args.rate)
            await _shipped(folder / "spool", 60.0)
            s3.pause()
            await down.during(args.down, args.rate)
            s3.resume()
            began = time.monotonic()
            await _shipped(folder / "spool", 300.0)
            drain = time.monotonic() - began - 2.0  # what _shipped waits to be sure
        gateway.stop()
        await asyncio.to_thread(s3.download, folder / "s3")
    finally:
        s3.kill()
        gateway.kill()
    ids, _ = request_ids(folder / "s3")
    p99_up, p99_down = (statistics.quantiles(clients.times, n=100)[98] for clients in (up, down))
    return {
        "requests": len(up.answered) + len(down.answered),
        "missing in S3": len((up.answered | down.answered) - ids),
        "p99 ms, up / down": f"{p99_up:.1f} / {p99_down:.1f}",
        "slower": round(100.0 * (p99_down / p99_up - 1.0), 1),
        "drain seconds": round(max(drain, 0.001), 1),
        "drained": round(args.down / max(drain, 0.1), 1),
    }


async def _l3(folder: Path, upstream: int, console: Console) -> dict[str, Any]:
    """The spool on a disk of 24 MiB that something else fills: 503, alive, and on again once there is room."""
    disk = folder / "disk"
    with small_disk(disk, 24), console.status("L3: a full disk"):
        audit = {**_audit(folder, None, classes={"request": "closed"}), "spool": str(disk / "spool")}
        gateway = Gateway(folder, upstream, audit)
        ballast = disk / "ballast"
        try:
            await gateway.start()
            before, during, after = Clients(gateway), Clients(gateway), Clients(gateway)
            await before.until(200, 8)
            _fill(ballast)
            await during.during(5.0, 100.0, 8)
            ballast.unlink()
            await asyncio.sleep(5.0)
            await after.during(5.0, 100.0, 8)
            gateway.stop()
        finally:
            gateway.kill()
    ids, _ = request_ids(folder / "audit")
    acknowledged = before.answered | during.answered | after.answered
    full = sum(during.statuses.values())
    return {
        "on a full disk, by status": during.statuses,
        "refused": 100.0 * during.statuses.get(503, 0) / max(1, full - len(during.answered)),
        "answered before it was full": len(during.answered),
        "resumed": 100.0 * after.statuses.get(200, 0) / max(1, sum(after.statuses.values())),
        "acknowledged and missing": len(acknowledged - ids),
        "verify": verify(folder / "audit")[0],
    }


def _fill(path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as out:
            while True:
                out.write(b"\0" * 4096)
    except OSError:
        return


async def _trail(folder: Path, upstream: int, events: int, console: Console) -> None:
    gateway = Gateway(folder, upstream, {**_audit(folder, None), "seal": {"bytes": 65_536, "seconds": 1}})
    try:
        await gateway.start()
        with console.status(f"a trail of {events} events"):
            await Clients(gateway).until(events, 64)
            await _shipped(folder / "spool", 120.0)
        gateway.stop()
    finally:
        gateway.kill()
    if not any(True for _ in read_lines(folder / "audit")):
        raise RuntimeError(f"the trail is empty:\n{gateway.log_tail()}")


BENCH = Bench("audit", "L1 to L8: loss, sinks away, full disks, tampering, split brain, torn writes", add_options, run)
