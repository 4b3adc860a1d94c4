"""Every file that makes Python run code by itself is found, and harmless is only what is known word for word."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from routeiq.installed import known_start_up, start_up
from routeiq.installed.known_start_up import KNOWN, Known
from routeiq.installed.start_up import StartUpCode, start_up_code

DISTUTILS = next(known for known in KNOWN if known.name == "distutils-precedence.pth")


def look(folder: Path) -> dict[str, StartUpCode]:
    return {one.path.name: one for one in start_up_code([folder], path=[str(folder)])}


@pytest.mark.parametrize(
    "text",
    [
        "import os; os.system('true')\n",
        "import\tos\n",
        "\ufeffimport os\n",
        "/somewhere/else\n# a comment\nimport os\n",
        "# a comment\rimport os\r",
        "\x0cimport os",
    ],
)
def test_a_line_that_runs_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "planted.pth").write_text(text, encoding="utf-8", newline="")
    found = look(tmp_path)["planted.pth"]
    assert (found.verdict, found.says.startswith("import")) == ("unknown", True)
    assert "--accept" in found.mend


@pytest.mark.parametrize("text", ["", "/somewhere/else\n", "# import os\n", " import os\n", "imports\n", "import\n"])
def test_a_line_that_only_names_a_folder_is_not(tmp_path: Path, text: str) -> None:
    (tmp_path / "folders.pth").write_text(text)
    assert look(tmp_path) == {}


def test_bytes_that_are_no_text_hide_nothing(tmp_path: Path) -> None:
    (tmp_path / "bytes.pth").write_bytes(b"\xff\xfe\xe4\nimport os\n")
    assert look(tmp_path)["bytes.pth"].verdict == "unknown"


def test_a_file_that_cannot_be_read_is_not_believed_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "away.pth").symlink_to(tmp_path / "nowhere")
    found = look(tmp_path)["away.pth"]
    assert (found.verdict, found.sha256) == ("unknown", "")


def test_start_files_count_where_python_reads_them(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "new.start").write_text("# PEP 829\nthief.module:run\n")
    monkeypatch.setattr(start_up, "READS_START_FILES", False)
    assert look(tmp_path) == {}
    monkeypatch.setattr(start_up, "READS_START_FILES", True)
    assert look(tmp_path)["new.start"].says == "thief.module:run"


@pytest.mark.parametrize("kind", ["module", "package"])
def test_a_module_that_python_imports_by_itself_is_found(tmp_path: Path, kind: str) -> None:
    file = tmp_path / ("sitecustomize.py" if kind == "module" else "sitecustomize/__init__.py")
    file.parent.mkdir(exist_ok=True)
    file.write_text("import os\n")
    (found,) = start_up_code([], path=[str(tmp_path)])
    assert (found.path, found.verdict) == (file, "unknown")


def test_a_known_file_is_known_only_as_its_distribution_left_it(tmp_path: Path, monkeypatch) -> None:
    install_setuptools(tmp_path, monkeypatch)
    assert look(tmp_path)["distutils-precedence.pth"].verdict == "known"
    with (tmp_path / "_distutils_hack" / "__init__.py").open("a") as file:
        file.write("import os\n")
    assert look(tmp_path)["distutils-precedence.pth"].verdict == "unknown"


@pytest.mark.parametrize("line", [f"{DISTUTILS.line}\nimport os\n", DISTUTILS.line.replace("add_shim", "steal")])
def test_a_known_file_with_another_line_is_not_known(tmp_path: Path, monkeypatch, line: str) -> None:
    install_setuptools(tmp_path, monkeypatch, line)
    assert look(tmp_path)["distutils-precedence.pth"].verdict == "unknown"


def test_a_known_text_that_nobody_installed_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "distutils-precedence.pth").write_text(DISTUTILS.line)
    (tmp_path / "_distutils_hack").mkdir()
    (tmp_path / "_distutils_hack" / "__init__.py").write_text("def add_shim(): ...\n")
    assert look(tmp_path)["distutils-precedence.pth"].verdict == "unknown"


def test_a_module_of_no_distribution_is_known_by_its_digest(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "_virtualenv.pth").write_text("import _virtualenv")
    assert look(tmp_path)["_virtualenv.pth"].verdict == "unknown", "there is no module beside it"
    module = tmp_path / "_virtualenv.py"
    module.write_text("")
    assert look(tmp_path)["_virtualenv.pth"].verdict == "unknown"
    digest = known_start_up.sha256(module)
    monkeypatch.setattr(
        start_up, "KNOWN", (Known("_virtualenv.pth", "import _virtualenv", modules=frozenset({digest})),)
    )
    assert look(tmp_path)["_virtualenv.pth"].verdict == "known"


def test_an_editable_install_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "__editable__.mine-1.0.pth").write_text(
        "import __editable___mine_1_0_finder; __editable___mine_1_0_finder.install()"
    )
    (tmp_path / "_editable_impl_mine.pth").write_text("import _editable_impl_mine")
    (tmp_path / "__editable__.theirs.pth").write_text("import __editable___a_finder; __editable___b_finder.install()")
    verdicts = {name: one.verdict for name, one in look(tmp_path).items()}
    assert verdicts == {
        "__editable__.mine-1.0.pth": "editable",
        "_editable_impl_mine.pth": "editable",
        "__editable__.theirs.pth": "unknown",
    }


def test_the_digest_covers_the_module_that_the_line_imports(tmp_path: Path) -> None:
    (tmp_path / "planted.pth").write_text("import payload")
    (tmp_path / "payload.py").write_text("x = 1")
    before = look(tmp_path)["planted.pth"].sha256
    (tmp_path / "payload.py").write_text("x = 2")
    assert look(tmp_path)["planted.pth"].sha256 != before


def install_setuptools(folder: Path, monkeypatch: pytest.MonkeyPatch, line: str = DISTUTILS.line) -> None:
    files = {"distutils-precedence.pth": line, "_distutils_hack/__init__.py": "def add_shim(): ...\n"}
    rows = ""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        rows += f"{name},sha256={digest},{len(text)}\n"
    info = folder / "setuptools-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: setuptools\nVersion: 1.0\n")
    (info / "RECORD").write_text(rows)
    monkeypatch.syspath_prepend(str(folder))
