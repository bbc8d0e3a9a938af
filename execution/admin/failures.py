"""The failure matrix of a flow version: what would follow if a task failed."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse

from disttask_project.console.pages import ConsoleAdmin
from disttask_project.kernel.errors import NotFound
from execution.selectors.failures import failure_matrix
from flows import selectors


def failures_view(page: ConsoleAdmin, request: HttpRequest, flow_id: str, number: int) -> HttpResponse:
    if not request.user.has_perm("flows.view_flow"):
        raise PermissionDenied
    try:
        flow = selectors.get_flow(flow_id)
        version = selectors.get_version(flow_id, number)
    except NotFound as error:
        raise Http404 from error
    matrix = failure_matrix(selectors.compiled_version(version.pk))
    return page.page(request, "console/failures.html", {"flow": flow, "version": version, "matrix": matrix})
