"""What a deployer may write, and what each mistake is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from disttask_project.config.reader import Configuration, read_configuration
from disttask_project.config.safety import faults_of, refusal, usable

SECRET = "k3y-" * 4 + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH"


def read(base: Path, toml: str = "", **environ: str) -> Configuration:
    if toml:
        (base / "configs").mkdir(exist_ok=True)
        (base / "configs" / "app.toml").write_text(toml, encoding="utf-8")
    environ.setdefault("DISTTASK_SECRET_KEY", SECRET)
    return read_configuration(environ, base)


def faults(config: Configuration) -> list[tuple[str, str]]:
    return [(fault.id, f"{fault.message} {fault.mend}") for fault in faults_of(config)]


def only_fault(config: Configuration) -> str:
    [(fault_id, text)] = faults(config)
    return f"{fault_id} {text}"


def test_it_starts_on_nothing_but_a_secret(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert faults(config) == []
    assert config["PORT"] == 8080
    assert config.home == tmp_path / "var"


def test_it_prefers_environment_to_secret_file_to_toml_to_default(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from-file\n", encoding="utf-8")
    toml = '[database]\npassword = "from-toml"\nhost = "db"\nusername = "u"\n'
    environ = {"DISTTASK_DATABASE_PASSWORD_FILE": str(tmp_path / "password")}
    assert read(tmp_path, toml)["DATABASE_PASSWORD"] == "from-toml"
    assert read(tmp_path, toml, **environ)["DATABASE_PASSWORD"] == "from-file"
    environ["DISTTASK_DATABASE_PASSWORD"] = "from-env"
    config = read(tmp_path, toml, **environ)
    assert config["DATABASE_PASSWORD"] == "from-env"
    assert config.entries["DATABASE_PASSWORD"].source == "environment DISTTASK_DATABASE_PASSWORD"
    assert config.entries["DATABASE_HOST"].source == "configs/app.toml [database] host"
    assert config.entries["DATABASE_ENGINE"].source == "default"


def test_it_takes_an_empty_variable_for_none(tmp_path: Path) -> None:
    assert read(tmp_path, DISTTASK_PORT="")["PORT"] == 8080


def test_it_reads_the_seed_s_own_file(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        '[app]\napp_name = "dist_task"\nhost = "0.0.0.0"\nport = 8080\n'
        '[database]\nhost = "127.0.0.1"\nport = 3306\n[rocketmq]\nnamesrv = "127.0.0.1:9876"\n',
    )
    assert not any(fault.is_error for fault in faults_of(config))
    assert config["APP_NAME"] == "dist_task"


def test_it_finds_the_file_that_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[app]\nport = 9000\n", encoding="utf-8")
    config = read(tmp_path, "[app]\nport = 1\n", DISTTASK_CONFIG=str(tmp_path / "other.toml"))
    assert config["PORT"] == 9000


def test_it_reads_the_home_folder_s_file_below_the_others(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "app.toml").write_text('[app]\nprofile = "demo"\nport = 1234\n', encoding="utf-8")
    config = read(tmp_path, "[app]\nport = 9000\n")
    assert (config["PROFILE"], config["PORT"], config["ENGINE_LEASE_SECONDS"]) == ("demo", 9000, 5)


def test_it_reads_named_tables_and_their_variables(tmp_path: Path) -> None:
    toml = '[db.connections.orders]\nhost = "db"\ntables = ["order"]\n[rpc.services."pay.Svc"]\ntarget = "p:1"\n'
    config = read(
        tmp_path,
        toml,
        DISTTASK_DB_CONNECTIONS_ORDERS_PASSWORD="pw",
        DISTTASK_DB_CONNECTIONS_STOCK_DB_URL="sqlite:///stock.db",
        DISTTASK_RPC_SERVICES_PAY_SVC_TARGET="q:2",
    )
    settings = config.as_settings()
    assert faults(config) == []
    assert settings["DB_CONNECTIONS"]["orders"]["password"] == "pw"
    assert settings["DB_CONNECTIONS"]["orders"]["tables"] == ["order"]
    assert settings["DB_CONNECTIONS"]["stock_db"]["url"] == "sqlite:///stock.db"
    assert settings["RPC_SERVICES"]["pay.Svc"]["target"] == "q:2"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "abc", "whole number"),
        ("PORT", "70000", "at most 65535"),
        ("DEBUG", "ture", "true or false"),
        ("PROFILE", "prod", "one of production, demo, test"),
        ("ENGINE_LEASE_SECONDS", "nan", "finite number"),
        ("ENGINE_WORKERS", "1", "at least 2"),
        ("HTTP_ALLOW_NETWORKS", "10.0.0.0/8,10.0.0.1/8", "'10.0.0.1/8' is no network"),
        ("TIME_ZONE", "Mars/Olympus", "Asia/Shanghai"),
    ],
)
def test_it_names_key_source_and_mend_of_a_wrong_value(tmp_path: Path, name: str, value: str, expected: str) -> None:
    text = only_fault(read(tmp_path, **{f"DISTTASK_{name}": value}))
    assert text.startswith("E001 [")
    assert f"environment DISTTASK_{name}" in text
    assert expected in text


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("[databse]\nhost = 'x'\n", "section [databse] of configs/app.toml. Did you mean 'database'?"),
        ("[database]\nhots = 'x'\n", "key 'hots' in [database] of configs/app.toml. Did you mean 'host'?"),
        ("[rpc.services.a]\ntraget = 'x'\n", "key 'traget' in [rpc.services.a] of configs/app.toml. Did you mean"),
        ("port = 1\n", "outside of any section"),
        ("log = 'debug'\n", "[log] in configs/app.toml is a value, not a section"),
        ("[db]\nconnections = 3\n", "is a value, not a section"),
    ],
)
def test_it_knows_every_key_of_the_file(tmp_path: Path, toml: str, expected: str) -> None:
    text = only_fault(read(tmp_path, toml))
    assert text.startswith("E002")
    assert expected in text


def test_it_says_where_the_file_is_not_toml(tmp_path: Path) -> None:
    text = only_fault(read(tmp_path, "[app\nport = 1"))
    assert text.startswith("E003")
    assert "configs/app.toml is not valid TOML" in text
    assert "line 1" in text


def test_it_misses_a_file_that_was_asked_for(tmp_path: Path) -> None:
    text = only_fault(read(tmp_path, DISTTASK_CONFIG="/nowhere.toml"))
    assert text.startswith("E003 The configuration file /nowhere.toml does not exist.")


def test_it_misses_a_secret_file(tmp_path: Path) -> None:
    text = only_fault(read(tmp_path, DISTTASK_DATABASE_PASSWORD_FILE="/nowhere"))
    assert "[database] password: the file /nowhere named by DISTTASK_DATABASE_PASSWORD_FILE" in text


def test_it_warns_of_a_variable_that_nothing_reads(tmp_path: Path) -> None:
    text = only_fault(read(tmp_path, DISTTASK_DATABSE_URL="x", DISTTASK_SECRET_PAY="fine"))
    assert text.startswith("W001")
    assert "Did you mean DISTTASK_DATABASE_URL?" in text


def test_it_shows_no_secret_in_a_fault(tmp_path: Path) -> None:
    config = read(tmp_path, "[database]\npassword = 12345678\n")
    assert "12345678" not in only_fault(config)


@pytest.mark.parametrize(
    ("environ", "fault_id", "expected"),
    [
        ({"DISTTASK_SECRET_KEY": "short"}, "E004", "shorter than 50"),
        ({"DISTTASK_SECRET_KEY": "x" * 60}, "E004", "placeholder"),
        ({"DISTTASK_SECRET_KEY": "django-insecure-" + SECRET}, "E004", "placeholder"),
        ({"DISTTASK_ALLOWED_HOSTS": "*"}, "E005", "'*'"),
        ({"DISTTASK_ALLOWED_HOSTS": ","}, "E005", "is empty"),
        ({"DISTTASK_DEBUG": "1", "DISTTASK_HOST": "0.0.0.0"}, "E006", "DISTTASK_DEBUG=false"),
        ({"DISTTASK_DATABASE_URL": "oracle://h/n"}, "E007", "'oracle'"),
        ({"DISTTASK_DATABASE_URL": "mysql://h"}, "E007", "names no database"),
        ({"DISTTASK_DB_CONNECTIONS_A_TABLES": "t"}, "E007", "[db.connections.a]"),
        ({"DISTTASK_BROKER_URL": "amqp://h"}, "E008", "orm or redis"),
        ({"DISTTASK_MQ_BACKEND": "rocketmq4"}, "E009", "DISTTASK_ROCKETMQ_NAMESRV"),
    ],
)
def test_it_refuses_an_unsafe_start(tmp_path: Path, environ: dict[str, str], fault_id: str, expected: str) -> None:
    found = faults_of(read(tmp_path, **environ))
    assert [fault.id for fault in found if fault.is_error] == [fault_id]
    reason = refusal(found)
    assert reason is not None
    assert expected in reason
    assert SECRET not in reason


def test_it_refuses_to_start_without_a_secret(tmp_path: Path) -> None:
    found = faults_of(read_configuration({}, tmp_path))
    assert "DISTTASK_SECRET_KEY" in str(refusal(found))
    assert len(usable(read_configuration({}, tmp_path), found)["SECRET_KEY"]) > 50


def test_it_makes_a_secret_once_in_the_demo(tmp_path: Path) -> None:
    first = read_configuration({"DISTTASK_PROFILE": "demo"}, tmp_path)
    again = read_configuration({}, tmp_path)
    assert len(first["SECRET_KEY"]) >= 50
    assert again["SECRET_KEY"] == first["SECRET_KEY"]
    assert (tmp_path / "var" / "secret_key").stat().st_mode & 0o077 == 0


def test_it_warns_of_a_public_bind_that_answers_nobody(tmp_path: Path) -> None:
    assert "W002" in only_fault(read(tmp_path, DISTTASK_HOST="0.0.0.0"))
    hosts = {"DISTTASK_HOST": "0.0.0.0", "DISTTASK_ALLOWED_HOSTS": "ops.example.com"}
    assert faults(read(tmp_path, **hosts)) == []
    assert "W003" in only_fault(read(tmp_path, DISTTASK_PROFILE="demo", **hosts))
