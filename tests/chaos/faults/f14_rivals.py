"""F14, F15 and R8: many ask for the same at once. One instance, one attempt; everybody is told what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections
from rest_framework.test import APIClient

from disttask_project.audit.models import AuditEntry
from execution.models import Attempt, Instance, OperatorAction
from execution.services.acts import perform
from execution.services.start import start_instance
from tests.chaos import flow
from tests.chaos.arena import Arena, arena
from tests.chaos.counts import Count
from tests.chaos.crowd import at_once
from tests.chaos.roles import Play, actor
from tests.chaos.scene import begin, chain_depends, counts_of, engines, put_up, rest, status_of, summed
from tests.chaos.stage import Stage

PROCESSES, THREADS = 4, 5
CLICKS = 50
# A call that times out is a failure, which a late click may well retry.
PATIENT: Mapping[str, Any] = {"retry": {"strategy": "manual"}, "timeout_seconds": 60}


def run(stage: Stage) -> list[Count]:
    play = Play(home=stage.folder("f14"), prefix="r")
    put_up(flow.chain(port=stage.port, name="rivals", length=1))
    put_up(flow.chain(port=stage.port, name="clicked", path="slow", length=1, **PATIENT))
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        get_user_model().objects.create_superuser("chaos")
        connections.close_all()
        engines(ring, 2)
        starts = _starts(stage, ring)
        clicks, parked = _clicks(stage, ring, rounds=2 if stage.quick else 10)
        ids = [*Instance.objects.filter(flow__name="rivals").values_list("id", flat=True), *parked]
        connections.close_all()
        rest(ring, ids, within=60)
        counts = counts_of(stage, play, ids, depends=chain_depends(1))
    return [*starts, *clicks, *summed("F14", "checks after rival starts and clicks", counts, of=1, store=stage.store)]


def _starts(stage: Stage, ring: Arena) -> list[Count]:
    """Half through the services, half over REST; then the same id with another body."""
    calls = 5 if stage.quick else 50
    total = PROCESSES * THREADS * calls
    told = at_once(ring, lambda number: _start(number, order="same"), processes=PROCESSES, threads=THREADS, calls=calls)
    found = Instance.objects.filter(id="rival").count()
    created = sum(each.get("created", False) for each in told)
    wrong = sum(each.get("id") != "rival" for each in told)
    other = at_once(ring, lambda number: _start(number, order="other"), processes=PROCESSES, threads=THREADS)
    symbols = Counter(each.get("refused", "accepted") for each in other)
    connections.close_all()
    said = (
        ("starts of one id that made another instance", abs(found - 1) + abs(created - 1), total),
        ("starts of one id that were not given its answer", wrong, len(told)),
        ("starts of a taken id with another body not refused by 409", _but(symbols, "INSTANCE_ID_TAKEN"), len(other)),
    )
    return [Count(id="R8", what=what, bad=bad, of=of, store=stage.store) for what, bad, of in said]


def _start(number: int, *, order: str) -> dict[str, Any]:
    if number % 2:
        answer = start_instance(flow_name="rivals", params={"order": order}, instance_id="rival", actor=actor())
        return {"id": answer.instance_id, "created": answer.created}
    client = APIClient()
    client.force_authenticate(get_user_model().objects.get(username="chaos"))
    body = {"flow_name": "rivals", "params": {"order": order}, "instance_id": "rival"}
    response = client.post("/api/v1/transactions", body, format="json", HTTP_HOST="127.0.0.1")
    if response.status_code == 503:
        return _start(number, order=order)
    said = response.json()
    if response.status_code == 409:
        return {"refused": said["error"]}
    return {"id": said["data"]["instance_id"], "created": response.status_code == 201}


def _clicks(stage: Stage, ring: Arena, *, rounds: int) -> tuple[list[Count], list[str]]:
    """Each round: an instance that failed, fifty retries at the same moment. The call lasts longer than the rush."""
    winners = attempts = untold = unaudited = 0
    ids = []
    for number in range(rounds):
        ring.mood(down=True)
        (instance_id,) = begin(1, flow_name="clicked", prefix="click", first=number)
        ids.append(instance_id)
        ring.wait(lambda instance_id=instance_id: status_of(instance_id) == "failed", within=60)  # type: ignore[misc]
        ring.mood(slowest=1)
        connections.close_all()
        told = at_once(ring, lambda _number, it=instance_id: _retry(it), processes=5, threads=CLICKS // 5)  # type: ignore[misc]
        symbols = Counter(each.get("refused", "") or each["state"] for each in told)
        # One that was asked of a driver is told later: its row says who won.
        winners += abs(OperatorAction.objects.filter(instance_id=instance_id, state="done").count() - 1)
        winners += symbols["done"] > 1
        untold += symbols["UNAVAILABLE"]
        rest(ring, [instance_id], within=60)
        attempts += abs(Attempt.objects.filter(instance_id=instance_id).count() - 2)
        unaudited += not AuditEntry.objects.filter(object_id=instance_id, act="instance.retry").exists()
        connections.close_all()
    said = (
        ("clicks on one retry: rounds without exactly one winner", winners, rounds),
        ("clicks on one retry: attempts more or less than one", attempts, rounds),
        ("clicks on one retry that were not told who won", untold, rounds * CLICKS),
        ("clicks on one retry: rounds whose winner is not in the operations log", unaudited, rounds),
    )
    return [Count(id="R8", what=what, bad=bad, of=of, store=stage.store) for what, bad, of in said], ids


def _retry(instance_id: str) -> dict[str, Any]:
    answer = perform(act="retry", instance_id=instance_id, actor=actor(), reason="click")
    return {"state": answer.state}


def _but(symbols: Counter[str], *wanted: str) -> int:
    return symbols.total() - sum(symbols[name] for name in wanted)
