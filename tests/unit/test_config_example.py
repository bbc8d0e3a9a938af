"""configs/app.toml is the table of keys, readable."""

from __future__ import annotations

import re
from pathlib import Path

from disttask_project.config.example import example_toml
from disttask_project.config.keys import KEYS, TABLES
from disttask_project.config.reader import read_configuration

EXAMPLE = Path(__file__).parents[2] / "configs" / "app.toml"


def test_it_documents_every_key() -> None:
    # After a change of the table: manage.py showconfig --example > configs/app.toml
    assert EXAMPLE.read_text(encoding="utf-8") == example_toml()


def test_its_lines_are_the_defaults_once_uncommented(tmp_path: Path) -> None:
    uncommented = re.sub(r"(?m)^# (?=\[[a-z]+\.[a-z]+\.\S+\]$|[a-z_]+ = )", "", example_toml())
    (tmp_path / "app.toml").write_text(uncommented, encoding="utf-8")
    config = read_configuration({"DISTTASK_CONFIG": "app.toml"}, tmp_path)
    assert config.faults == ()
    for key in KEYS:
        assert config[key.setting] == key.default
        assert config.entries[key.setting].source.startswith("app.toml")
    assert config.tables["limits.targets"]["http:bank.example:443"]["rate"].source.startswith("app.toml")
    assert {table: list(named) for table, named in config.tables.items()} == {
        "limits.targets": ["http:bank.example:443"],
        "db.connections": ["orders"],
        "http.tls": ["bank"],
        "rpc.services": ["PaymentService"],
    }


def test_every_key_has_one_variable_and_one_name() -> None:
    keys = [*KEYS, *(key for keys in TABLES.values() for key in keys)]
    assert len({key.env for key in keys}) == len(keys)
    assert all(key.help.endswith(".") for key in keys)
