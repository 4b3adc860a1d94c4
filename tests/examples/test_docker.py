"""The container's files, looked at without a container engine: what they copy, mount and run exists and fits."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from routeiq.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "docker"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")


def instruction(name: str) -> list[str]:
    """The arguments of an instruction in its JSON form."""
    found = re.search(rf"^{name} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found, f"{name} is not written as a list"
    words: list[str] = json.loads(found[1])
    return words


def test_everything_that_is_copied_or_installed_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE)
    installed = re.findall(r"[\s\"]\./([\w/-]+)", DOCKERFILE)
    assert copied
    assert installed
    for path in [*copied, *installed]:
        assert (ROOT / path).is_dir(), path
    for path in installed:
        assert path.split("/")[0] in copied, f"{path} is not copied"


def test_the_command_is_one_that_the_program_takes() -> None:
    program, (name, *arguments) = instruction("ENTRYPOINT"), instruction("CMD")
    assert program == ["routeiq"]
    command = cli.get_command(cli.make_context("routeiq", [], resilient_parsing=True), name)
    assert command is not None
    taken = {option for parameter in command.params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= taken


def test_it_does_not_run_as_root() -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1] not in ("root", "0")


def test_compose_mounts_what_is_there_and_gives_the_drain_its_time() -> None:
    service = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))["services"]["routeiq"]
    assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).samefile(FOLDER / "Dockerfile")
    source, target, _ = service["volumes"][0].split(":")
    assert (FOLDER / source).is_file()
    assert target in instruction("CMD")
    served = yaml.safe_load((FOLDER / source).read_text(encoding="utf-8"))
    assert int(service["stop_grace_period"].removesuffix("s")) > served["routeiq"]["server"]["grace_seconds"]
    for variable in re.findall(r"os\.environ/(\w+)", (FOLDER / source).read_text(encoding="utf-8")):
        assert variable in service["environment"]


@pytest.mark.parametrize("ignored", ["**/tests", "**/__pycache__"])
def test_the_image_carries_no_tests(ignored: str) -> None:
    assert ignored in (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
