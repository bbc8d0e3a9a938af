"""What a clone must hold, and what must not leak into it."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "locks").glob("*.lock"))


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration() -> None:
    out = StringIO()
    try:
        call_command("makemigrations", check=True, dry_run=True, stdout=out, stderr=out)
    except SystemExit:
        pytest.fail(out.getvalue())


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CHANGELOG.md", "LICENSE", "CONTRIBUTING.md"])
def test_a_clone_holds_what_a_reader_looks_for(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_and_hashes_everything_and_names_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--trusted-host|--find-links", text)
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", re.sub(r"(?m)^\s*#.*\n", "", text))
    for entry in filter(str.strip, entries):
        assert re.match(r"[A-Za-z0-9._-]+(\[[^\]]+\])?==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def pins(name: str) -> set[str]:
    """What a lock pins, whichever extras it asks for."""
    found = re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[\S+\])?(==\S+)", (ROOT / "locks" / f"{name}.lock").read_text())
    return {package + version for package, version in found}


def test_the_locks_contain_each_other() -> None:
    assert pins("default") <= pins("dev")
    assert pins("dev") | pins("servers") == pins("ci")
