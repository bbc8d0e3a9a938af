"""A sample of the long run (`python -m tests.chaos.kills`): nothing is lost, no effect is without its row."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.chaos.kills import PROMISES


@pytest.mark.slow
@pytest.mark.store
@pytest.mark.timeout(240)
def test_killing_any_process_loses_nothing_and_leaves_no_effect_unrecorded() -> None:
    kills = 10
    command = [sys.executable, "-W", "ignore", "-m", "tests.chaos.kills", "--seed", "42", "--lease", "2"]
    command += ["--kills", str(kills), "--every", "0.5", "--host", "both"]
    command += ["--url", os.environ.get("DISTTASK_DATABASE_URL", ""), "--most-seconds", "120"]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=230, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert {name: report[name] for name in PROMISES} == dict.fromkeys(PROMISES, 0)
    assert report["kills"] == kills
    assert report["info_success"] > 0
