from __future__ import annotations

import base64
from pathlib import Path

import pytest

from disttask_project.kernel.redaction import redact
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.sealing import sealed_error, sealed_value
from execution.executors.secrets import reveal

CANARY = 'canary/"9f3+quux'


def test_it_puts_a_secret_in_at_send_and_leaves_the_config_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTTASK_SECRET_PAY", CANARY)
    config = {"headers": {"Authorization": "Bearer ${secret:PAY}"}, "list": ["${secret:PAY}", 1]}
    revealed, secrets = reveal(config)
    assert revealed == {"headers": {"Authorization": f"Bearer {CANARY}"}, "list": [CANARY, 1]}
    assert secrets == (CANARY,)
    assert config["headers"] == {"Authorization": "Bearer ${secret:PAY}"}


def test_it_hands_a_config_without_secrets_through_untouched() -> None:
    config = {"url": "http://a.example", "query": {"a": [1, None]}}
    assert reveal(config)[0] is config


def test_it_reads_secret_files_and_sees_them_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "pay"
    file.write_text("first-secret\n")
    monkeypatch.setenv("DISTTASK_SECRET_PAY_FILE", str(file))
    assert reveal({"a": "${secret:PAY}"})[0] == {"a": "first-secret"}
    file.write_text("the-second-secret\n")
    assert reveal({"a": "${secret:PAY}"})[0] == {"a": "the-second-secret"}


@pytest.mark.parametrize("name", ["ABSENT", "", "../etc/passwd", "A B", "9A", "EMPTY", "GONE"])
def test_it_refuses_an_unknown_secret(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTTASK_SECRET_EMPTY", "")
    monkeypatch.setenv("DISTTASK_SECRET_GONE_FILE", "/nowhere/at/all")
    with pytest.raises(TaskFailed) as caught:
        reveal({"a": "${secret:" + name + "}"})
    assert caught.value.failure.sort is Sort.REFUSED
    assert caught.value.failure.code == "SECRET_MISSING"


def test_it_takes_secrets_out_of_results_in_every_spelling() -> None:
    echoed = base64.b64encode(f"user:{CANARY}".encode()).decode()
    value = {"plain": f"x{CANARY}y", "coded": echoed, CANARY: [CANARY, 5, None], "phone": "138"}
    sealed = sealed_value(value, (CANARY,))
    assert CANARY not in str(sealed)
    assert sealed["phone"] == "138"
    assert echoed[8:20] not in sealed["coded"]


def test_it_takes_secrets_out_of_failures() -> None:
    failed = TaskFailed(Sort.REFUSED, "X", f"said {CANARY}", response={"body": CANARY}, stack=f"at {CANARY}")
    sealed = sealed_error(failed, (CANARY,)).failure
    assert CANARY not in f"{sealed}"
    assert sealed.code == "X"


def test_it_seals_errors_nobody_foresaw() -> None:
    with pytest.raises(ValueError) as caught:
        int(CANARY)
    sealed = sealed_error(caught.value, (CANARY,)).failure
    assert (sealed.sort, sealed.code, sealed.type) == (Sort.MAYBE_APPLIED, "EXECUTOR_ERROR", "ValueError")
    assert "ValueError" in sealed.stack
    assert CANARY not in f"{sealed}"


def test_it_tells_the_logs_what_to_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTTASK_SECRET_LOGGED", "logged-canary-1")
    reveal({"a": "${secret:LOGGED}"})
    assert "logged-canary-1" not in redact("sent logged-canary-1")


def test_it_cuts_what_is_too_large() -> None:
    assert sealed_value({"a": "x" * 100}, (), max_bytes=50) == {"cut": True, "text": '{"a":"' + "x" * 44}
