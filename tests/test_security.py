"""What the code never does: load a pickle, start a shell, evaluate text, open Ray to others."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import PROJECT

SOURCES = sorted([*(PROJECT / "dbgan").rglob("*.py"), *(PROJECT / "pipelines").rglob("*.py")])
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "eval", "exec"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Dotted name and node of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keyword(call: ast.Call, name: str) -> object:
    """The literal value of an argument; None where it is not given or not literal."""
    found = next((k.value for k in call.keywords if k.arg == name), None)
    return found.value if isinstance(found, ast.Constant) else None


def findings(text: str) -> list[str]:
    """What in a source is against the rules."""
    tree, wrong = ast.parse(text), []
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        wrong += [f"imports {name}" for name in names if name.split(".")[0] in UNSAFE_MODULES]
    for name, call in calls(tree):
        if name.endswith("torch.load") and keyword(call, "weights_only") is not True:
            wrong.append(f"line {call.lineno}: torch.load without weights_only=True")
        if name in ("np.load", "numpy.load") and keyword(call, "allow_pickle") is not False:
            wrong.append(f"line {call.lineno}: numpy.load without allow_pickle=False")
        if name in ("yaml.load", "yaml.load_all", "yaml.unsafe_load"):
            wrong.append(f"line {call.lineno}: {name} builds objects that a text names")
        if name in SHELLS or keyword(call, "shell") is True:
            wrong.append(f"line {call.lineno}: {name} runs text")
    return wrong


def test_no_source_loads_pickles_or_runs_text() -> None:
    wrong = {str(path): found for path in SOURCES if (found := findings(path.read_text(encoding="utf-8")))}
    assert wrong == {}


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "yaml.load(text)",
        "os.system('ls')",
        "subprocess.run(text, shell=True)",
        "eval(text)",
    ],
)
def test_the_search_finds_what_it_looks_for(text: str) -> None:
    assert findings(text) != []


@pytest.mark.slow
def test_a_cluster_of_our_own_wants_a_token_and_has_no_dashboard_or_client_port() -> None:
    """In a process of its own: whether a token is wanted is settled when Ray first starts."""
    code = (
        "import os\n"
        "os.environ.pop('RAY_AUTH_MODE', None)\n"
        "from dbgan.cluster import connected\n"
        "with connected('testing', 1) as ray:\n"
        "    from ray._raylet import AuthenticationMode, get_authentication_mode\n"
        "    node = ray._private.worker._global_node\n"
        "    print(get_authentication_mode() == AuthenticationMode.TOKEN)\n"
        "    print(repr(node.webui_url), node._ray_params.ray_client_server_port)\n"
    )
    pytest.importorskip("ray")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert done.stdout.split() == ["True", "''", "None"], done.stdout + done.stderr
