"""`/api/v1/transactions...`, `/task-types`, `/stats`; no slash at the end."""

from __future__ import annotations

from django.urls import URLPattern, path

from execution.api import acts, dry_run, insight, targets, transactions, types

_ONE = "transactions/<str:instance_id>"
_TASK = f"{_ONE}/tasks/<str:task_id>"

urlpatterns: list[URLPattern] = [
    path("transactions", transactions.Transactions.as_view(), name="transactions"),
    path("transactions/bulk", transactions.BulkStart.as_view(), name="transactions-bulk"),
    path(_ONE, transactions.Transaction.as_view(), name="transaction"),
    path(f"{_ONE}/tasks", transactions.Tasks.as_view(), name="transaction-tasks"),
    path(f"{_TASK}/attempts", transactions.Attempts.as_view(), name="task-attempts"),
    path(f"{_ONE}/logs", transactions.Logs.as_view(), name="transaction-logs"),
    path(f"{_ONE}/graph", insight.Graph.as_view(), name="transaction-graph"),
    path(f"{_ONE}/timeline", insight.Timeline.as_view(), name="transaction-timeline"),
    path(f"{_ONE}/diagnosis", insight.Diagnosis.as_view(), name="transaction-diagnosis"),
    path(f"{_ONE}/retry", acts.Retry.as_view(), name="transaction-retry"),
    path(f"{_ONE}/cancel", acts.Cancel.as_view(), name="transaction-cancel"),
    path(f"{_ONE}/pause", acts.Pause.as_view(), name="transaction-pause"),
    path(f"{_ONE}/resume", acts.Resume.as_view(), name="transaction-resume"),
    path(f"{_ONE}/compensation-plan", insight.CompensationPlan.as_view(), name="transaction-compensation-plan"),
    path(f"{_ONE}/compensate", acts.Compensate.as_view(), name="transaction-compensate"),
    path(f"{_ONE}/close", acts.Close.as_view(), name="transaction-close"),
    path(f"{_TASK}/retry", acts.RetryTask.as_view(), name="task-retry"),
    path(f"{_TASK}/rerun", acts.Rerun.as_view(), name="task-rerun"),
    path(f"{_TASK}/skip", acts.Skip.as_view(), name="task-skip"),
    path(f"{_TASK}/mark-success", acts.MarkSuccess.as_view(), name="task-mark-success"),
    path("flows/<str:flow_id>/dry-run", dry_run.DryRun.as_view(), name="flow-dry-run"),
    path("task-definitions/<str:name>/try", types.TryTask.as_view(), name="task-try"),
    path("targets", targets.Targets.as_view(), name="targets"),
    path("targets/<str:target_id>", targets.Target.as_view(), name="target"),
    path("targets/<str:target_id>/open", targets.Open.as_view(), name="target-open"),
    path("targets/<str:target_id>/close", targets.Close.as_view(), name="target-close"),
    path("targets/<str:target_id>/limits", targets.Limits.as_view(), name="target-limits"),
    path("task-types", types.TaskTypes.as_view(), name="task-types"),
    path("stats/overview", types.Overview.as_view(), name="stats-overview"),
    path("stats/flows/<str:flow_id>", types.FlowFigures.as_view(), name="stats-flow"),
]
