"""Is it alive, is it ready: for load balancers and probes, without login, and telling no secrets."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from disttask_project.api.envelope import failure, request_id_of, success
from disttask_project.i18n import translated
from disttask_project.kernel.messages import Message, text

logger = logging.getLogger(__name__)

Check = Callable[[], Message | None]
_CHECKS: Final[dict[str, Check]] = {}


def add_check(name: str, check: Check) -> None:
    """A part that must work before requests are sent here; it returns what is wrong, or None."""
    _CHECKS[name] = check


def health(request: HttpRequest) -> JsonResponse:
    """`/health`: the seed's envelope; says that the process answers."""
    data = {"status": "ok", "name": settings.DISTTASK["APP_NAME"]}
    return _json(success(data, request_id=request_id_of(request)), 200)


def healthz(request: HttpRequest) -> JsonResponse:
    """`/healthz`: alive. No database is asked: a restart would not mend one."""
    return _json(success({"status": "ok"}, request_id=request_id_of(request)), 200)


def readyz(request: HttpRequest) -> JsonResponse:
    """`/readyz`: database, migrations and whatever the apps have added; 503 names what is not ready."""
    faults = {name: fault for name, check in _CHECKS.items() if (fault := _run(name, check)) is not None}
    checks = {name: "ok" if name not in faults else translated(faults[name]) for name in _CHECKS}
    request_id = request_id_of(request)
    if not faults:
        return _json(success({"status": "ok", "checks": checks}, request_id=request_id), 200)
    errors = [{"loc": [name], "code": "not_ready", "message": checks[name]} for name in faults]
    message = translated(text("Not ready: {names}.", names=", ".join(faults)))
    body = failure(status=503, symbol="NOT_READY", message=message, errors=errors, request_id=request_id)
    return _json(body | {"data": {"status": "unready", "checks": checks}}, 503)


def _run(name: str, check: Check) -> Message | None:
    try:
        return check()
    except Exception:
        logger.exception("readiness_check_failed", extra={"check": name})
        return text("does not answer")


def _database() -> Message | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return None


def _migrations() -> Message | None:
    """Once applied they stay so: a ready process asks the table only until then."""
    if _migrations_done:
        return None
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        return text("{count} migrations are not applied: run manage.py migrate", count=len(plan))
    _migrations_done.append(True)
    return None


_migrations_done: Final[list[bool]] = []
add_check("database", _database)
add_check("migrations", _migrations)


def _json(body: dict[str, Any], status: int) -> JsonResponse:
    response = JsonResponse(body, status=status, json_dumps_params={"ensure_ascii": False})
    response["Cache-Control"] = "no-store"
    if status == 503:
        response["Retry-After"] = "2"
    return response
