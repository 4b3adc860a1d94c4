"""The third-party plugin: installed from its own folder, its own tests pass, and it knows the SDK only."""

from __future__ import annotations

import ast
import sys
import tomllib

from example_runs import EXAMPLES, Install, run

FOLDER = EXAMPLES / "third-party-plugin"
_TEST_SECONDS = 90.0


async def test_its_own_tests_pass_once_it_is_installed(install: Install) -> None:
    site = await install(FOLDER)
    code, told = await run(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"),
        *("-c", FOLDER / "pyproject.toml", FOLDER / "tests"),
        environment={"PYTHONPATH": str(site), "PYTEST_ADDOPTS": "", "PYTHONDONTWRITEBYTECODE": "1"},
        seconds=_TEST_SECONDS,
    )
    assert code == 0, told
    assert " passed" in told


def test_it_depends_on_the_sdk_alone() -> None:
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [requirement.split(">")[0] for requirement in project["dependencies"]] == ["routeiq-sdk"]
    imported = set()
    for path in (FOLDER / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                imported.add(node.module.split(".")[0])
    assert {name for name in imported if name.startswith("routeiq")} == {"routeiq_sdk"}
