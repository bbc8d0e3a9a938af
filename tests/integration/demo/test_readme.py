"""The README is true: its blocks are run, in order, against a real `make run`.

`<!-- run -->` before a console block runs it; `<!-- file: NAME -->` before a block is the file that later commands
name; `<!-- then: ID is STATUS -->` after one says how an instance must stand.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from demo.leftovers import leftovers
from demo.places import BASE
from tests.integration.demo.copies import READY, Copy, environment, free_place, start

MARKED = re.compile(r"<!-- (run|file|then)(?:: (.*?))? -->(?:\n```\w+\n(.*?)```)?", re.DOTALL)


class Step(NamedTuple):
    kind: str  # run, file, then
    about: str
    block: str


def steps(name: str) -> list[Step]:
    return [Step(*found) for found in MARKED.findall((BASE / name).read_text(encoding="utf-8"))]


def script(block: str) -> str:
    """The commands of a console block: lines after `$ `, with what continues them."""
    lines, goes_on = [], False
    for line in block.splitlines():
        if goes_on or line.startswith("$ "):
            lines.append(line.removeprefix("$ "))
            goes_on = line.endswith("\\")
    return "\n".join(lines)


class Reader:
    """Somebody who follows the README in a second terminal."""

    def __init__(self, copy: Copy) -> None:
        self.copy = copy
        self.files: list[str] = []

    def follow(self, step: Step, following: Step | None) -> None:
        if step.kind == "file":
            self._write(step)
        elif step.kind == "then":
            self._expect(*step.about.split(" is "))
        elif step.block.strip() != "$ make run":
            # `tx watch` and `--wait` say by their exit code how it ended.
            fails = following is not None and following.kind == "then" and following.about.endswith("is failed")
            done = self._bash(f"set -e\n{script(step.block)}")
            assert done.returncode == int(fails), f"{step.block}\n{done.stdout}\n{done.stderr}\n{self.copy.output()}"

    def _write(self, step: Step) -> None:
        self.files.append(step.about)
        (self.copy.here.home / step.about).write_text(self._here(step.block), encoding="utf-8")

    def _expect(self, instance_id: str, status: str) -> None:
        done = self._bash(f".venv/bin/python manage.py tx status {instance_id} --json")
        assert json.loads(done.stdout)["status"] == status, done.stdout

    def _here(self, text: str) -> str:
        """The same with this copy's ports, interpreter and folder."""
        here = self.copy.here
        for written, port in ((":8080", here.port), (":8082", here.inventory_port)):
            text = text.replace(written, f":{port}")
        for name in self.files:
            text = text.replace(name, str(here.home / name))
        return text.replace(".venv/bin/python", sys.executable)

    def _bash(self, commands: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", self._here(commands)],
            cwd=BASE,
            env=environment(self.copy.here),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_block_of_the_readme_does_what_it_says(tmp_path: Path) -> None:
    readme = steps("README.md")
    assert script(readme[0].block) == "make run"
    copy = start(free_place(tmp_path), ["make", "run"])
    try:
        copy.wait_for(READY)
        reader = Reader(copy)
        for step, following in zip(readme, [*readme[1:], None], strict=True):
            reader.follow(step, following)
        copy.stop()
        assert leftovers(copy.here.home) == []
    finally:
        copy.end()


def test_both_languages_show_the_same_commands() -> None:
    assert steps("README.md") == steps("README.zh-CN.md")
