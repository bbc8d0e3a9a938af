"""The flow of a run drawn with the state of each task."""

from __future__ import annotations

from urllib.parse import quote

from django.utils.safestring import SafeString

from disttask_project.console.labels import look
from execution.selectors.run_page import Run
from flows.domain.compiled import Kind
from flows.domain.drawing import Graph, Node, draw_svg


def graph_of(run: Run) -> SafeString:
    """SVG whose nodes carry a status class and lead to their task; "" for a run without tasks.

    Undos and checks are no steps of the flow: their tasks' status tells of them.
    """
    tasks = [task for task in run.tasks if task.row.kind == Kind.FORWARD]
    if not tasks:
        return SafeString("")
    known = {task.task_id for task in tasks}
    nodes = tuple(
        Node(
            id=task.task_id,
            label=task.row.name,
            task_name=task.row.task_name,
            type=task.row.type,
            depends_on=tuple(name for name in task.row.depends_on if name in known),
        )
        for task in tasks
    )
    statuses = {task.task_id: task.status for task in tasks}
    svg = draw_svg(
        Graph(name=run.instance.flow.name, nodes=nodes),
        statuses=statuses,
        words={status: str(look("task", status).word) for status in set(statuses.values())},
        link=lambda task_id: f"?task={quote(task_id)}",
        uid="run",
    )
    return SafeString(svg)  # every text in it is escaped where it is drawn
