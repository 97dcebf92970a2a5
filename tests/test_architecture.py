"""What holds for the whole tree: layers, lean imports, small files, style, types."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*ROOT.glob("adaclip/**/*.py"), *ROOT.glob("demo/**/*.py"), ROOT / "app.py"])
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60

# What each layer may import of the project; one way only.
NOUNS = ("adaclip.errors", "adaclip.types", "adaclip.config")
ALLOWED = {
    "adaclip.errors": (),
    "adaclip.config": NOUNS,
    "adaclip.types": NOUNS,
    "adaclip.model.sentences": (),
    "adaclip.maps.rendering": NOUNS,
    "adaclip.maps.regions": NOUNS,
    "adaclip.maps.outputs": (*NOUNS, "adaclip.data", "adaclip.maps.rendering", "adaclip.stores"),
    "adaclip.metrics": (*NOUNS, "adaclip.metrics"),
    "adaclip.data": (*NOUNS, "adaclip.data"),
    "adaclip.model": (*NOUNS, "adaclip.model.sentences", "adaclip.data", "adaclip.model"),
    "adaclip.annotations.record": NOUNS,
    "adaclip.annotations.agreement": (*NOUNS, "adaclip.annotations.record"),
    "adaclip.annotations.thresholds": (
        *NOUNS,
        "adaclip.annotations.record",
        "adaclip.data.registry",
        "adaclip.metrics",
    ),
    "adaclip.stores": (*NOUNS, "adaclip.annotations.record", "adaclip.stores"),
    **dict.fromkeys(
        (
            "adaclip.annotations.images",
            "adaclip.annotations.exports",
            "adaclip.annotations.labels",
            "adaclip.annotations.check",
            "adaclip.annotations.imports",
        ),
        (*NOUNS, "adaclip.annotations.record", "adaclip.data", "adaclip.stores"),
    ),
    "adaclip.engine": (
        *NOUNS,
        "adaclip.metrics",
        "adaclip.data",
        "adaclip.model",
        "adaclip.stores",
        "adaclip.engine",
    ),
    "adaclip.cli": ("adaclip",),
    "adaclip.__main__": ("adaclip.cli",),
    "adaclip": ("adaclip",),
    "demo": ("adaclip", "demo"),
    "app": ("adaclip", "demo"),
}
TORCH_LAYERS = ("adaclip.model", "adaclip.engine")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def layer_of(module: str) -> str:
    return max((name for name in ALLOWED if within(module, name)), key=len)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def parsed(text: str) -> ast.Module:
    """CPython 3.11 counts the parser's depth for all threads together (gh-106905), so a parse
    beside one of gradio's threads may stumble: then once more."""
    for _ in range(5):
        try:
            return ast.parse(text)
        except SystemError:
            continue
    return ast.parse(text)


def imports_of(path: Path) -> set[str]:
    """Every module imported anywhere in a file, for type checkers alone excepted."""
    found: set[str] = set()
    tree = parsed(path.read_text(encoding="utf-8"))
    skipped = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.dump(branch.test)
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_go_one_way(path: Path) -> None:
    module = module_of(path)
    layer = layer_of(module)
    for name in imports_of(path):
        if within(name, "adaclip") and name != "adaclip":
            source = name if (ROOT / Path(*name.split("."))).with_suffix(".py").exists() else None
            package = (ROOT / Path(*name.split("."))).is_dir()
            if source is None and not package:
                continue  # a name inside a module that is itself listed
            assert any(within(name, allowed) for allowed in ALLOWED[layer]), f"{module}: {name}"
        if within(name, "gradio"):
            assert layer in ("demo", "app"), f"{module} imports gradio"
        if within(name, "torch") or within(name, "open_clip"):
            assert layer in TORCH_LAYERS, f"{module} imports {name}"
        if within(name, "demo"):
            assert layer in ("demo", "app"), f"{module} imports {name}"


@pytest.mark.parametrize(
    "statement",
    ["import adaclip", "import adaclip.cli", "import adaclip.detecting.pool", "import demo.ui"],
)
def test_light_imports_load_no_torch(statement: str) -> None:
    code = f"import sys; {statement}; print('torch' in sys.modules, 'gradio' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    torch_loaded, gradio_loaded = result.stdout.split()[-2:]
    assert torch_loaded == "False"
    assert gradio_loaded == str("demo" in statement)


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_files_and_functions_are_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, node.name


@pytest.mark.parametrize(
    "command",
    [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)],
    ids=["lint", "format", "types"],
)
def test_one_check_command(command: tuple[str, ...]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_requirement_is_pinned_with_a_reason() -> None:
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            requirement, _, reason = line.partition("#")
            assert "==" in requirement, line
            assert reason.strip(), line
