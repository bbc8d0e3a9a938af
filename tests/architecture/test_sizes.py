"""Files and functions stay small enough to read (style 6)."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE_WALL, FUNCTION_WALL, TEST_WALL = 300, 60, 40
GENERATED = ("_pb2.py", "_pb2_grpc.py")


def sources() -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and "migrations" not in path.parts and not name.endswith(GENERATED):
            yield path


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def test_no_file_is_longer_than_its_wall() -> None:
    long = [
        f"{path.relative_to(ROOT)} has {size} lines"
        for path in sources()
        if (size := len(path.read_text(encoding="utf-8").splitlines())) > FILE_WALL
    ]
    assert not long, "\n".join(long)


def test_no_function_is_longer_than_its_wall() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {name} has {size} lines"
        for path in sources()
        for name, size in functions(path)
        if size > (TEST_WALL if name.startswith("test_") else FUNCTION_WALL)
    ]
    assert not long, "\n".join(long)
