"""Services, engine and store against a model, step by step: 2,000 runs of 50 steps by hand, a sample in the test run.

The long form: `DISTTASK_MACHINE_RUNS=2000 pytest tests/statemachine --timeout 0`, on any store.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from execution.services import performing
from tests.statemachine.holding import make_flows
from tests.statemachine.machine import Services

pytestmark = [pytest.mark.django_db, pytest.mark.store]
RUNS = int(os.environ.get("DISTTASK_MACHINE_RUNS", "12"))
STEPS = 50


def test_services_do_what_the_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performing, "VERDICT_WAIT_SECONDS", 0.0)
    make_flows()
    run_state_machine_as_test(
        Services,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=RUNS < 100,
            suppress_health_check=list(HealthCheck),
        ),
    )
