"""The example package as a deployer's own: found by its entry point, complete by `check`, true to the contract."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "disttask-sms"


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """An environment in which the package counts as installed, as its own pyproject says."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    metadata = tmp_path / "disttask_sms-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1.0\n")
    points = project["entry-points"]["disttask.executors"]
    lines = [f"{name} = {module}" for name, module in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[disttask.executors]", *lines, ""]))
    path = os.pathsep.join([str(tmp_path), str(EXAMPLE), str(ROOT)])
    own = {"PYTHONPATH": path, "DISTTASK_HOME": str(tmp_path / "home"), "DISTTASK_PROFILE": "test"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DISTTASK"))}
    return kept | own


def run(*arguments: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_a_start_finds_it_and_check_is_content(installed: dict[str, str]) -> None:
    run("manage.py", "check", env=installed)
    asked = "from flows.domain.catalog import TASK_TYPES; print([each.name for each in TASK_TYPES])"
    listed = run("manage.py", "shell", "-v", "0", "-c", asked, env=installed)
    assert "'sms'" in listed


@pytest.mark.slow
def test_it_keeps_the_contract(installed: dict[str, str]) -> None:
    told = run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE), env=installed)
    assert " passed" in told
    assert "failed" not in told
