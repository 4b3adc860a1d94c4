"""The site builds strictly and stands alone; links lead somewhere; pages speak of the project alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mkdocs_hook import fill
from pages import DOCS, PAGES, ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+?)(?: \{ #([\w-]+) \})?$", re.MULTILINE)
_LOADED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
_HOST = re.compile(r"https?://(?:\[[^\]]+\]|[^/\s:\"'`)$]+)")
_KNOWN_HOSTS = {"http://127.0.0.1", "https://www.cedarpolicy.com", "https://docs.cedarpolicy.com"}
_RESERVED = re.compile(r"https?://(?:[\w-]+\.)*example\.(?:com|org|net)")  # RFC 2606
_MACHINE = re.compile(r"(?<![\w.-])/(?:work|root|home|tmp|Users)/|--(?:extra-)?index-url|PIP_INDEX|UV_INDEX")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_the_site_builds_strictly_with_the_reference_filled_in(site: Path) -> None:
    page = (site / "reference" / "hooks" / "index.html").read_text(encoding="utf-8")
    assert 'id="guard_request"' in page
    unfilled = [str(path) for path in site.rglob("*.html") if "{{ " in path.read_text(encoding="utf-8")]
    assert unfilled == []


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    assert [(str(page), found[0]) for page in pages if (found := _LOADED.findall(page.read_text("utf-8")))] == []


def test_code_of_the_build_is_not_published(site: Path) -> None:
    assert list(site.rglob("*.py")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{link} leads nowhere"
        if anchor:
            assert anchor in _anchors(target), f"{link}: no such heading"


def _anchors(page: Path) -> set[str]:
    text = page.read_text(encoding="utf-8")
    text = fill(text) if page.is_relative_to(DOCS) else text
    return {match[2] or _slug(match[1]) for match in _HEADING.finditer(text)}


def _slug(heading: str) -> str:
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_no_machine_and_no_package_index(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert _MACHINE.findall(text) == []
    unknown = set(_HOST.findall(text)) - _KNOWN_HOSTS
    assert {host for host in unknown if not _RESERVED.fullmatch(host)} == set()
