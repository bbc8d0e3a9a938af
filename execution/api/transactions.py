"""`/transactions`: start, bulk start, list, detail and what hangs on one instance."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api import errors
from disttask_project.api.envelope import request_id_of
from disttask_project.api.fields import Spec, read_body
from disttask_project.api.listing import listed, page_request, whole
from disttask_project.api.shapes import list_of
from disttask_project.api.views import ApiView
from disttask_project.kernel.errors import DisttaskError, TooMany
from execution.api import shapes, specs
from execution.selectors import instances, plain, tasks
from execution.services.start import Start, Started, start_instance, start_instances

VIEW: Final = "execution.view_instance"
START: Final = "execution.start_instance"
POLL_SECONDS: Final = 0.1


class Transactions(ApiView):
    """Start an instance, or list those that are there."""

    tag = "transactions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List transactions", "POST": "Start a transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW, "POST": START}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.START}
    filters: ClassVar[Mapping[str, Spec]] = {"GET": specs.LIST}
    families: ClassVar[tuple[str, ...]] = ("tag.",)
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.TRANSACTION), "POST": shapes.STARTED}
    statuses: ClassVar[Mapping[str, int]] = {"POST": 201}

    def get(self, request: Request) -> Response:
        query = self.query()
        page = instances.list_instances(filters=filter_of(query), asked=page_request(query))
        return Response(listed(page, plain.transaction))

    def post(self, request: Request) -> Response:
        answer = start_instance(**self.body(), actor=self.actor())
        return Response(answer.as_dict(), status=201 if answer.created else 200)


class BulkStart(ApiView):
    """Start up to 1,000; each has its own code, and one fault stops no other."""

    tag = "transactions"
    summaries: ClassVar[Mapping[str, str]] = {"POST": "Start many transactions"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": START}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.BULK}
    answers: ClassVar[Mapping[str, Any]] = {"POST": list_of(shapes.BULK_ITEM)}

    def post(self, request: Request) -> Response:
        asked: list[Any] = self.body()["transactions"]
        read = [_read_start(item) for item in asked]
        starts = [item for item in read if isinstance(item, Start)]
        answers = iter(start_instances(starts=starts, actor=self.actor()) if starts else ())
        outcomes = [next(answers) if isinstance(item, Start) else item for item in read]
        request_id = request_id_of(request)
        shown = [_bulk_item(item, outcome, request_id) for item, outcome in zip(asked, outcomes, strict=True)]
        counts = {"created": sum(item["code"] == 0 and item["data"]["created"] for item in shown)}
        counts["repeated"] = sum(item["code"] == 0 for item in shown) - counts["created"]
        counts["refused"] = len(shown) - counts["created"] - counts["repeated"]
        return Response({**whole(shown, lambda item: item), "counts": counts})


class Transaction(ApiView):
    """One instance with its tasks; `?wait=30` answers when it has ended, or after 30 s as it stands."""

    tag = "transactions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Show a transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    filters: ClassVar[Mapping[str, Spec]] = {"GET": specs.DETAIL}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.TRANSACTION_DETAIL}

    def get(self, request: Request, instance_id: str) -> Response:
        wait_for_end(instance_id, seconds=self.query()["wait"])
        return Response(plain.transaction_detail(tasks.instance_detail(instance_id)))


class Tasks(ApiView):
    """The tasks of an instance, those that have not started included."""

    tag = "transactions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List the tasks of a transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.TASK)}

    def get(self, request: Request, instance_id: str) -> Response:
        self.query()
        return Response(whole(tasks.list_tasks(instances.get_instance(instance_id)), plain.task))


class Attempts(ApiView):
    """Every try of a task: what was sent, what came back."""

    tag = "transactions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List the attempts of a task"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.ATTEMPT)}

    def get(self, request: Request, instance_id: str, task_id: str) -> Response:
        self.query()
        rows = tasks.attempts(instances.get_instance(instance_id), task_id)
        return Response(whole(rows, plain.attempt))


class Logs(ApiView):
    """The journal of an instance, in order of `seq`; follow it with `?after=`."""

    tag = "transactions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Read the execution log of a transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    filters: ClassVar[Mapping[str, Spec]] = {"GET": specs.LOGS}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.LOG_ROW)}

    def get(self, request: Request, instance_id: str) -> Response:
        query = self.query()
        instance = instances.get_instance(instance_id)
        rows = tasks.logs(instance, after=query["after"], limit=query["page_size"])
        shown = whole(rows, plain.log)
        more = len(rows) == query["page_size"] and rows[-1].seq < instance.seq
        shown["pagination"] |= {
            "page_size": query["page_size"],
            "total": instance.seq,  # gap-free: the last number is the count
            "next": str(rows[-1].seq) if more else None,
        }
        return Response(shown)


def filter_of(query: Mapping[str, Any]) -> instances.InstanceFilter:
    """The declared filters as the selector takes them."""
    return instances.InstanceFilter(
        status=query["status"] or (),
        flow_id=query["flow_id"],
        flow_name=query["flow_name"],
        since=query["since"],
        until=query["until"],
        tags=query["tag"],
        error_code=query["error_code"],
        has_open_exception=query["has_open_exception"],
        needs_attention=query["needs_attention"],
        closed=query["closed"],
        id_prefix=query["id"],
        ids=query["ids"] or (),
    )


def wait_for_end(instance_id: str, *, seconds: float) -> None:
    """Return once the instance has ended or waits for a person, or `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not instances.has_come_to_rest(instance_id):
        time.sleep(POLL_SECONDS)


def _read_start(item: Any) -> Start | DisttaskError:
    try:
        return Start(**read_body(specs.START, item))
    except DisttaskError as error:
        return error


def _bulk_item(asked: Any, outcome: Started | DisttaskError, request_id: str) -> dict[str, Any]:
    if isinstance(outcome, DisttaskError):
        answer = errors.answer_for(outcome)
        assert answer is not None
        told = errors.body_of(answer, request_id=request_id)
        instance_id = asked.get("instance_id") if isinstance(asked, dict) else None
        item = {
            "code": told["code"],
            "message": told["message"],
            "data": {"instance_id": instance_id},
            "error": told["error"],
            "errors": told["errors"],
        }
        if isinstance(outcome, TooMany):
            item["retry_after"] = outcome.retry_after
        return item
    return {"code": 0, "message": "success", "data": outcome.as_dict()}
