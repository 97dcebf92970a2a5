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

# Rooms of one floor do not import each other; a room may import every room on a lower floor.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("adaclip.errors", "adaclip.text", "adaclip.logits"),
    ("adaclip.types", "adaclip.config"),
    ("adaclip.metrics", "adaclip.data", "adaclip.storage"),
    (
        "adaclip.model",
        "adaclip.maps",
        "adaclip.checkpoints",
        "adaclip.synthetic",
        "adaclip.comparing",
    ),
    ("adaclip.detecting", "adaclip.runs"),
    ("adaclip.annotations", "adaclip.training", "adaclip.evaluating"),
    ("adaclip.lite",),
    ("adaclip.cli",),
    ("adaclip.__main__", "demo.page"),
    ("demo.look",),
    ("demo.batch",),
    ("demo.services",),
    ("demo.visitor",),
    ("demo.runs",),
    ("demo.flag",),
    ("demo.detect", "demo.benchmark", "demo.annotate"),
    ("demo.ui", "demo.start"),
    ("demo.app",),
    ("app",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FACES = ("adaclip", "demo")  # import on first use, or nothing
TORCH_ROOMS = (
    "adaclip.model",
    "adaclip.comparing",
    "adaclip.detecting",
    "adaclip.training",
    "adaclip.lite",
)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


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


def is_ours(name: str) -> bool:
    place = ROOT / Path(*name.split("."))
    ours = name == "app" or within(name, "adaclip") or within(name, "demo")
    return ours and name not in FACES and (place.with_suffix(".py").exists() or place.is_dir())


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(module_of(path))
    for name in imports_of(path):
        other = room_of(name)
        if is_ours(name) and other != room and room not in FACES:
            assert FLOOR[other] < FLOOR[room], f"{module_of(path)} imports {name}"
        if within(name, "gradio"):
            assert room == "app" or within(room, "demo"), f"{module_of(path)} imports gradio"
        if within(name, "torch") or within(name, "open_clip"):
            assert room in TORCH_ROOMS, f"{module_of(path)} imports {name}"


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
