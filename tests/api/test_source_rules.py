"""Rules over the product's source that no linter has: nothing that runs code out of data, and no file that outgrows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("core/src", "plugin_sdk/src", "plugins/*/src")
REST = ("tests", "core/tests", "plugin_sdk/tests", "plugins/*/tests", "examples", "docs")
LONGEST_IN_CORE = 400
LONGEST_ELSEWHERE = 500

MODULES = frozenset({"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"})
BUILTINS = frozenset({"eval", "exec", "compile", "__import__"})
CALLS = frozenset(
    {"torch.load", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen",
     "numpy.load", "np.load", "np.lib.format.read_array", "pandas.read_pickle", "pd.read_pickle", "ctypes.CDLL",
     "builtins.eval", "builtins.exec", "runpy.run_path", "runpy.run_module", "importlib.util.spec_from_file_location"}
)  # fmt: skip
SAFE_NAMES = {"joblib": frozenset({"Parallel", "delayed", "parallel_config"})}
"""What may be taken from a module that also reads pickles."""
EXEMPT = {
    # The converter's child: it reads a pickle through an allow-list, in a process of its own with nothing to reach.
    "plugins/routing-ml/src/routeiq_routing_ml/artifact/convert_child.py": {"import pickle"},
}
YAML_LOADERS = frozenset({"Loader", "UnsafeLoader", "FullLoader"})


def sources(*patterns: str) -> Iterator[Path]:
    for pattern in patterns:
        for folder in sorted(ROOT.glob(pattern)):
            yield from sorted(path for path in folder.rglob("*.py") if "node_modules" not in path.parts)


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def findings(source: str) -> list[str]:
    """What in a module's source could run code out of data."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            found += [f"{line}: import {a.name}" for a in node.names if a.name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            taken = {a.name for a in node.names}
            safe = SAFE_NAMES.get(node.module or "", frozenset())
            if (node.module or "").partition(".")[0] in MODULES and not taken <= safe:
                found.append(f"{line}: from {node.module}")
            if node.module == "yaml":
                found += [f"{line}: yaml.{a.name}" for a in node.names if f"yaml.{a.name}" in CALLS | YAML_LOADERS]
        elif isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in BUILTINS | CALLS and not _refuses_pickles(node):
                found.append(f"{line}: {name}()")
            if any(
                keyword.arg == "shell" and getattr(keyword.value, "value", None) is True for keyword in node.keywords
            ):
                found.append(f"{line}: shell=True")
            if name.endswith("import_module") and node.args and getattr(node.args[0], "value", None) in MODULES:
                found.append(f"{line}: import_module({node.args[0].value!r})")  # type: ignore[attr-defined]
        elif isinstance(node, ast.Attribute) and dotted(node) in {f"yaml.{name}" for name in YAML_LOADERS}:
            found.append(f"{line}: {dotted(node)}")
    return found


def _refuses_pickles(call: ast.Call) -> bool:
    """`numpy.load(..., allow_pickle=False)`, said in so many words."""
    told = [keyword.value for keyword in call.keywords if keyword.arg == "allow_pickle"]
    return len(told) == 1 and isinstance(told[0], ast.Constant) and told[0].value is False


@pytest.mark.parametrize("path", list(sources(*PRODUCT)), ids=lambda path: str(path.relative_to(ROOT)))
def test_product_code_runs_nothing_out_of_data(path: Path) -> None:
    exempt = EXEMPT.get(str(path.relative_to(ROOT)), set())
    found = findings(path.read_text(encoding="utf-8"))
    assert [finding for finding in found if finding.partition(": ")[2] not in exempt] == []


def test_exemptions_are_still_needed() -> None:
    for name, exempt in EXEMPT.items():
        found = {finding.partition(": ")[2] for finding in findings((ROOT / name).read_text(encoding="utf-8"))}
        assert exempt <= found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import joblib.memory",
        "from pickle import loads",
        "from yaml import unsafe_load",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)",
        "eval(text)",
        "exec(text)",
        "torch.load(path)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "np.lib.format.read_array(file)",
        "runpy.run_path(path)",
        "importlib.util.spec_from_file_location(name, path)",
        "import shelve",
        "import dill",
        "import marshal",
        "from joblib import load",
        "from joblib import Parallel, dump",
        "subprocess.run(text, shell=True)",
        "importlib.import_module('pickle')",
    ],
)
def test_the_rule_sees_what_it_is_for(source: str) -> None:
    assert findings(source)


@pytest.mark.parametrize(
    "source",
    [
        "np.load(path, allow_pickle=False)",
        "from joblib import Parallel, delayed",
        "yaml.safe_load(text)",
        "re.compile(text)",
        "model.eval()",
        "json.loads(text)",
    ],
)
def test_the_rule_sees_nothing_else(source: str) -> None:
    assert findings(source) == []


def test_no_file_outgrows() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources(*PRODUCT, *REST)}
    core = ROOT / "core" / "src"
    allowed = {path: LONGEST_IN_CORE if core in path.parents else LONGEST_ELSEWHERE for path in lengths}
    assert {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > allowed[path]} == {}


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "manager"])
def test_no_module_has_a_name_that_says_nothing(word: str) -> None:
    assert [path for path in sources(*PRODUCT) if path.stem == word or word in path.parent.parts] == []


def test_every_module_says_in_its_docstring_what_lives_there() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources(*PRODUCT)
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []
