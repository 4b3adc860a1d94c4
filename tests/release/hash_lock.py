"""Writes the hash lock: every distribution that RouteIQ needs, its version, and the digests pip may accept for it.

Run by `nox -s lock`. No address of an index is in it: where files come from is the installer's affair, what they are
is not.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from collections.abc import Container, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

ADDRESS = re.compile(r"://|^\s*(-i|-f|--(extra-)?index-url|--find-links|--trusted-host)\b", re.MULTILINE)
_WHEEL = re.compile(r"(?P<name>[A-Za-z0-9_.]+)-(?P<version>[A-Za-z0-9_.!+]+)(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")


def own_lines(wheels: Iterable[Path]) -> list[str]:
    """A line for each wheel: it is installed as these bytes or not at all."""
    lines = []
    for wheel in sorted(wheels):
        told = _WHEEL.fullmatch(wheel.name)
        if told is None:
            raise SystemExit(f"{wheel.name} is no name of a wheel")
        name = re.sub(r"[-_.]+", "-", told["name"]).lower()
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"{name}=={told['version']} \\\n    --hash=sha256:{digest}")
    return lines


def resolve(wheels: Sequence[Path], extras: Sequence[str], python: str, cool_down_days: int) -> str:
    """The lines of all others that our wheels need, for every platform, by uv. Raises `SystemExit` with its words."""
    own = [line.partition(" ")[0] for line in own_lines(wheels)]
    asked = [name.replace("==", f"[{','.join(extras)}]==") if extras else name for name in own]
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    command += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--only-binary", ":all:"]
    command += ["--python-version", python, "--find-links", str(wheels[0].parent), "-"]
    if cool_down_days:
        newest = datetime.now(UTC) - timedelta(days=cool_down_days)
        command += ["--exclude-newer", newest.strftime("%Y-%m-%dT%H:%M:%SZ")]
    done = subprocess.run(command, input="\n".join(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        hint = ""
        if cool_down_days:
            hint = "\nA cool-down needs an index that tells upload times; without them nothing is old enough."
        raise SystemExit(f"this cannot be resolved:\n{done.stderr[-3000:]}{hint}")
    return without(done.stdout, {name.partition("==")[0] for name in own})


def without(text: str, names: Container[str]) -> str:
    """The lock without these distributions: what an index says of ours counts for nothing."""
    return "\n".join(block for block in blocks(text) if re.split(r"[\[=]", block)[0] not in names) + "\n"


def blocks(text: str) -> list[str]:
    """One distribution each: its line and those of its digests."""
    return [block for block in re.split(r"\n(?=\S)", text.strip()) if block]


def checked(text: str) -> str:
    """The text, if each requirement in it has a digest and no address is in it. Raises `SystemExit`."""
    address = ADDRESS.search(text)
    if address is not None:
        raise SystemExit(f"the lock would record an address: {address[0]}")
    for block in blocks(text):
        if not block.startswith("#") and "--hash=sha256:" not in block:
            raise SystemExit(f"no digest for {block.splitlines()[0]}")
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Write a lock for pip install --require-hashes.")
    parser.add_argument("--wheels", type=Path, required=True, help="the folder of our own wheels")
    parser.add_argument("--out", type=Path, default=Path("routeiq.lock"))
    parser.add_argument("--extra", action="append", default=[], help="an extra of our distributions, again for more")
    parser.add_argument("--python", default="3.11", help="the oldest Python that it is for")
    parser.add_argument("--cool-down", type=int, default=0, metavar="DAYS", help="leave younger uploads out")
    told = parser.parse_args(arguments)
    wheels = [wheel for wheel in sorted(told.wheels.glob("*.whl")) if not wheel.name.startswith("routeiq_testkit")]
    if not wheels:
        raise SystemExit(f"no wheel in {told.wheels}")
    others = resolve(wheels, told.extra, told.python, told.cool_down)
    text = "\n".join([*own_lines(wheels), others])
    told.out.write_text(checked(text), encoding="utf-8")
    print(f"{told.out}: {len(blocks(text))} distributions, {text.count('--hash=')} digests")


if __name__ == "__main__":
    main()
