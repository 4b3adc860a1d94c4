"""The ground of the audit bench: a gateway that can be killed and started again, an S3 that can be stopped, clients
that remember which requests were answered. What is judged is the bench's business."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from bench import arena
from bench.contenders import MODEL
from routeiq_testkit.servers import S3Server

KEY = "sk-bench-audit-93c1f07d5a2be846"
BUCKET = "audit"
_READY_SECONDS = 60.0
_REQUEST_SECONDS = 20.0


class S3(S3Server):
    """moto's server, and a client to look at what was written."""

    def __init__(self) -> None:
        super().__init__()
        self._client: Any = None

    def client(self) -> Any:
        """A boto3 client, for looking at what was written."""
        if self._client is None:
            import boto3

            keys = {"aws_access_key_id": "AKIABENCH", "aws_secret_access_key": "bench-secret"}
            self._client = boto3.client("s3", endpoint_url=self.url, region_name="us-east-1", **keys)
        return self._client

    def open(self) -> None:
        """Start it and make the bucket, with Object Lock."""
        self.start()
        self.client().create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)

    def download(self, to: Path) -> list[str]:
        """All objects under `to`, by their names; the names, those of several versions as often as there are."""
        names: list[str] = []
        paginator = self.client().get_paginator("list_object_versions")
        for page in paginator.paginate(Bucket=BUCKET):
            for version in page.get("Versions", ()):
                if not version["Key"].startswith("heads/"):  # written anew with each object
                    names.append(version["Key"])
                elif not version["IsLatest"]:
                    continue
                target = to / version["Key"]
                target.parent.mkdir(parents=True, exist_ok=True)
                body = self.client().get_object(Bucket=BUCKET, Key=version["Key"])["Body"].read()
                target.write_bytes(body)
        return names


def sinks(folder: Path, s3: S3 | None) -> list[dict[str, Any]]:
    """A file sink, and the bucket when there is one."""
    found: list[dict[str, Any]] = [{"kind": "file", "path": str(folder / "audit")}]
    if s3 is not None:
        found.append(
            {
                "kind": "s3",
                "bucket": BUCKET,
                "prefix": "",
                "endpoint_url": s3.url,
                "region": "us-east-1",
                "access_key_id": "AKIABENCH",
                "secret_access_key": "bench-secret",
                "object_lock": {"mode": "COMPLIANCE", "days": 1},
            }
        )
    return found


@dataclass
class Gateway:
    """One gateway with audit, which a killer may kill. `start` brings it back with the same port and folders."""

    folder: Path
    upstream: int
    audit: dict[str, Any]
    port: int = field(default_factory=arena.free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        params = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{self.upstream}/v1", "api_key": "sk-x"}
        path = self.folder / "routeiq.yaml"
        document = {
            "model_list": [{"model_name": MODEL, "litellm_params": params}],
            "router_settings": {"num_retries": 0},
            "general_settings": {"master_key": KEY},
            "routeiq": {
                "profile": "minimal",
                "data_dir": str(self.folder / "data"),
                "server": {"port": self.port, "workers": 1},
                "logs": {"level": "warning"},
                "limits": {"in_flight": 1024},
                "plugins": {"audit": self.audit},
            },
        }
        path.write_text(yaml.safe_dump(document))
        return path

    async def start(self) -> None:
        with (self.folder / "gateway.log").open("ab") as log:
            argv = [sys.executable, "-m", "routeiq", "serve", "--config", str(self.config)]
            # A session of its own: a kill takes supervisor and worker at once, as a lost machine would.
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        ends = time.monotonic() + _READY_SECONDS
        async with aiohttp.ClientSession() as client:
            while True:
                try:
                    async with client.get(self.url + "/health/liveness") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                if self.process.poll() is not None or time.monotonic() > ends:
                    raise RuntimeError(f"the gateway did not start:\n{self.log_tail()}")
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        """kill -9 of the whole process group."""
        if self.process is not None:
            with_group(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def stop(self) -> None:
        """A clean stop."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()

    def log_tail(self) -> str:
        return "\n".join((self.folder / "gateway.log").read_text(errors="replace").splitlines()[-20:])


def with_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        pass


@dataclass
class Clients:
    """Asks without pause; remembers the ids of requests that were answered in full."""

    gateway: Gateway
    answered: set[str] = field(default_factory=set)
    statuses: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    times: list[float] = field(default_factory=list)

    async def until(self, wanted: int, concurrency: int) -> None:
        """Until so many were answered."""
        await self._crowd(concurrency, lambda: len(self.answered) < wanted, pause=0.0)

    async def during(self, seconds: float, rate: float, concurrency: int = 64) -> None:
        """At a steady rate, for so long."""
        ends = time.monotonic() + seconds
        await self._crowd(concurrency, lambda: time.monotonic() < ends, pause=concurrency / rate)

    async def _crowd(self, concurrency: int, more: Any, pause: float) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client, asyncio.TaskGroup() as group:
            for number in range(concurrency):
                group.create_task(self._one(client, more, pause, number / concurrency))

    async def _one(self, client: aiohttp.ClientSession, more: Any, pause: float, offset: float) -> None:
        body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}).encode()
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        due = time.monotonic() + offset * pause
        while more():
            if pause:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due += pause
            started = time.perf_counter()
            try:
                async with client.post(self.gateway.url + "/v1/chat/completions", data=body, headers=headers) as answer:
                    await answer.read()
                    self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
                    if answer.status == 200:
                        self.answered.add(answer.headers["x-routeiq-request-id"])
            except (aiohttp.ClientError, TimeoutError):
                self.broken += 1
                await asyncio.sleep(0.25)  # the gateway is being killed or is starting: leave it the machine
            self.times.append((time.perf_counter() - started) * 1000)


def read_lines(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every line of every object under a folder, with the object's path."""
    import io

    import zstandard

    for path in sorted(folder.rglob("*.jsonl.zst")):
        reader = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True)
        for line in io.TextIOWrapper(reader, encoding="utf-8"):
            yield str(path.relative_to(folder)), json.loads(line)


def request_ids(folder: Path) -> tuple[set[str], int]:
    """The requests that the objects tell of, and how many (stream, number) pairs stand there twice."""
    ids: set[str] = set()
    seen: set[tuple[str, int]] = set()
    twice = 0
    for _, line in read_lines(folder):
        place = (line["stream"], line["seq"])
        twice += place in seen
        seen.add(place)
        found = line["event"].get("request_id")
        if found:
            ids.add(found)
    return ids, twice


def verify(folder: Path) -> tuple[int, dict[str, Any]]:
    """`routeiq audit verify PATH --json`: its exit code and what it says."""
    argv = [sys.executable, "-m", "routeiq", "audit", "verify", str(folder), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    try:
        told = json.loads(done.stdout)
    except ValueError:
        told = {"error": done.stdout + done.stderr}
    return done.returncode, told


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[None]:
    """A tmpfs of this size mounted at `folder`. Needs root; raises `PermissionError` otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    argv = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        raise PermissionError("a tmpfs could not be mounted (it needs root)")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
