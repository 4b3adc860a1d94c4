"""The project's chores. `nox -l` explains each; `nox -s NAME` runs one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "layers", "tests", "docs", "wheels"]

ROOT = Path(__file__).parent
PLUGINS = sorted(str(path.parent.relative_to(ROOT)) for path in ROOT.glob("plugins/*/pyproject.toml"))
SOURCES = ["plugin_sdk/src", "core/src", *(f"{folder}/src" for folder in PLUGINS), "tests/testkit/src"]
GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]


def _workspace(session: nox.Session, *groups: str, extras: str = "") -> None:
    folders = ["./plugin_sdk", f"./core{extras}", *(f"./{folder}" for folder in PLUGINS), "./tests/testkit"]
    session.install(*(argument for folder in folders for argument in ("-e", folder)), *_group(*groups))


def _group(*names: str) -> list[str]:
    return [requirement for name in names for requirement in GROUPS[name]]


@nox.session
def dev(session: nox.Session) -> None:
    """Make .venv with every distribution in place, editable, for an editor and a shell."""
    session.run("python", "-m", "venv", ".venv", external=True)
    folders = [
        "./plugin_sdk",
        "./core[litellm,uvicorn,granian]",
        *(f"./{folder}" for folder in PLUGINS),
        "./tests/testkit",
    ]
    editable = [argument for folder in folders for argument in ("-e", folder)]
    wanted = _group("test", "lint", "types", "layers", "docs", "dev")
    session.run(".venv/bin/python", "-m", "pip", "install", "--quiet", *editable, *wanted, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: style and known mistakes, and one format."""
    session.install(*_group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict over all distributions."""
    _workspace(session, "types", extras="[uvicorn]")
    session.run("mypy", *SOURCES)


@nox.session
def layers(session: nox.Session) -> None:
    """import-linter: plugins import the SDK only, the core imports no plugin, the core's rooms stay one-way."""
    _workspace(session, "layers")
    session.run("lint-imports")


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """The whole suite, as the README's second command runs it. Arguments go to pytest."""
    session.run("python3", "tests/run.py", *session.posargs, external=True)


@nox.session(venv_backend="none")
def contract(session: nox.Session) -> None:
    """The LiteLLM contract's golden files only."""
    session.run("python3", "tests/run.py", "tests/contract", *session.posargs, external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """mkdocs build --strict into site/."""
    _workspace(session, "docs", extras="[uvicorn]")
    session.run("mkdocs", "build", "--strict", "--quiet", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def wheels(session: nox.Session) -> None:
    """Build every wheel, install core and a plugin into a clean environment, and run them there."""
    session.install(*_group("wheels"))
    session.run("python", "tests/wheels/check.py")


@nox.session
def bench(session: nox.Session) -> None:
    """A benchmark, side by side with its peers: `nox -s bench -- NAME`; `list` names them. All but `routing` need wrk,
    nginx and a C compiler."""
    _workspace(session, "bench", extras="[litellm,uvicorn,granian]")
    session.run("python", "tests/bench/run.py", *(session.posargs or ["list"]))


@nox.session(name="bench-tests")
def bench_tests(session: nox.Session) -> None:
    """The benchmark's own tests. Needs wrk and a C compiler."""
    _workspace(session, "bench", "test", extras="[uvicorn]")
    session.run("pytest", "tests/bench", *session.posargs)


DIST = ROOT / "dist"


def _wheels(session: nox.Session) -> None:
    """Every wheel, anew, in dist/."""
    session.install(*_group("wheels"))
    for old in DIST.glob("*.whl"):
        old.unlink()
    for folder in ("plugin_sdk", "core", *PLUGINS):
        session.run("python", "-m", "build", "--wheel", "--no-isolation", "--outdir", str(DIST), folder, silent=True)


@nox.session
def lock(session: nox.Session) -> None:
    """Build the wheels and write dist/routeiq.lock for `pip install --require-hashes`. `-- --extra standard --cool-down
    7` takes an extra in, and leaves out what was uploaded in the last 7 days."""
    session.install("uv>=0.5")
    _wheels(session)
    out = ("--wheels", str(DIST), "--out", str(DIST / "routeiq.lock"))
    session.run("python", "tests/release/hash_lock.py", *out, *session.posargs)


@nox.session
def sbom(session: nox.Session) -> None:
    """Install dist/routeiq.lock into a clean environment and list it in dist/routeiq.cdx.json: CycloneDX 1.6, checked
    against its schema. Needs `lock` before."""
    session.install("cyclonedx-bom>=7,<8")
    clean = Path(session.create_tmp()) / "clean"
    session.run("python", "-m", "venv", "--clear", str(clean))
    python = str(clean / "bin" / "python")
    locked = ("--require-hashes", "--no-deps", "--find-links", str(DIST), "-r", str(DIST / "routeiq.lock"))
    session.run(python, "-m", "pip", "install", "--quiet", *locked, external=True)
    session.run("python", "tests/release/sbom.py", python, str(DIST / "routeiq.cdx.json"))


@nox.session
def provenance(session: nox.Session) -> None:
    """Build the wheels in dist/ and say from which commit: dist/routeiq.provenance.json. `-- --key ed25519.pem` signs
    it, `-- --verify --key public.pem` builds nothing and checks it."""
    session.install("cryptography>=43")
    if "--verify" not in session.posargs:
        _wheels(session)
    out = ("--out", str(DIST / "routeiq.provenance.json"))
    session.run("python", "tests/release/provenance.py", str(DIST), *out, *session.posargs)


@nox.session(name="audit-deps")
def audit_deps(session: nox.Session) -> None:
    """Ask for known holes in what dist/routeiq.lock lists. Exit 1: there are some; 3: it could not be asked."""
    session.install("pip-audit>=2.7")
    session.run("python", "tests/release/audit.py", str(DIST / "routeiq.lock"))
