"""Who may import whom: the contracts in pyproject.toml hold, and each of them can be broken."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINT = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in `root`/src by the contracts in `root`/pyproject.toml."""
    env = os.environ | {"PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    return subprocess.run([sys.executable, "-c", LINT], cwd=root, env=env, capture_output=True, text=True)


def test_every_import_goes_down_the_layers():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("core", "import torch", "The core knows arrays"),
        ("core", "def f():\n    import sklearn", "The core knows arrays"),
        ("core", "import pellucid.models", "Layers"),
        ("models", "def f():\n    import pellucid.methods", "Layers"),
        ("metrics", "import pellucid.api", "Layers"),
        ("methods", "import pellucid.plot", "Only reports, studies and the command line draw"),
        ("studies", "import pellucid.methods", "Studies stand on"),
        ("studies", "import pellucid.cli", "Layers"),
        ("plot", "import pellucid.models", "Plots know records"),
    ],
)
def test_a_forbidden_import_is_noticed(tmp_path: Path, module: str, line: str, contract: str):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "src" / "pellucid" / module / "__init__.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    result = lint(tmp_path)
    broken = [row for row in result.stdout.splitlines() if row.rstrip().endswith("BROKEN")]
    assert result.returncode == 1, result.stdout + result.stderr
    assert any(contract in row for row in broken), result.stdout
