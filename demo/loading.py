"""The demo flow and its orders in the store: loaded once however often asked, and taken out again."""

from __future__ import annotations

from dataclasses import dataclass

from demo.places import Place
from demo.shop import FIRST_ORDERS, FLOW_NAME, definition
from disttask_project.kernel.actor import Actor, system_actor
from disttask_project.kernel.errors import DisttaskError
from execution.models import Attempt, Instance, LocalMessage
from execution.services.start import Start, Started, start_instances
from flows.models import Flow, FlowVersion
from flows.services import create_flow, save_version

LOADER = "loaddemo"
CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load did: the version it added (0: none was needed), the orders it started, and those refused."""

    version: int
    started: int
    refused: tuple[str, ...]


def load(here: Place) -> Loaded:
    """The flow, and those of the first dozen orders that are not there yet."""
    actor = system_actor(LOADER, source="cli")
    version = _load_flow(here, actor)
    starts = [Start(flow_name=FLOW_NAME, instance_id=order.instance_id, params=order.params) for order in FIRST_ORDERS]
    answers = start_instances(starts=starts, actor=actor)
    return Loaded(
        version=version,
        started=sum(isinstance(answer, Started) and answer.created for answer in answers),
        refused=tuple(str(answer) for answer in answers if isinstance(answer, DisttaskError)),
    )


def _load_flow(here: Place, actor: Actor) -> int:
    """A version is added where ours changed (another port); one that a person saved since then stays current."""
    wanted = definition(here)
    flow = Flow.objects.filter(live_name=FLOW_NAME).first()
    if flow is None:
        create_flow(definition=wanted, actor=actor, flow_type="demo")
        return 1
    ours = FlowVersion.objects.filter(flow=flow, create_user=LOADER).order_by("-number").first()
    if ours is not None and ours.definition == wanted:
        return 0
    return save_version(flow_id=flow.pk, definition=wanted, actor=actor).number


def remove_orders() -> int:
    """Delete every instance of the demo flow with all that belongs to it; no driver may be at work.

    Returns how many there were. The operations log keeps what was done.
    """
    removed = 0
    while ids := list(Instance.objects.filter(flow__name=FLOW_NAME).values_list("pk", flat=True)[:CHUNK]):
        keys = list(Attempt.objects.filter(instance__in=ids).values_list("key", flat=True).distinct())
        for first in range(0, len(keys), CHUNK):
            LocalMessage.objects.filter(idempotency_key__in=keys[first : first + CHUNK]).delete()
        Instance.objects.filter(pk__in=ids).delete()
        removed += len(ids)
    return removed
