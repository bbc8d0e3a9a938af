"""`/api/v1/transactions...`; no slash at the end."""

from __future__ import annotations

from django.urls import URLPattern, path

from execution.api import acts, transactions

_ONE = "transactions/<str:instance_id>"
_TASK = f"{_ONE}/tasks/<str:task_id>"

urlpatterns: list[URLPattern] = [
    path("transactions", transactions.Transactions.as_view(), name="transactions"),
    path("transactions/bulk", transactions.BulkStart.as_view(), name="transactions-bulk"),
    path(_ONE, transactions.Transaction.as_view(), name="transaction"),
    path(f"{_ONE}/tasks", transactions.Tasks.as_view(), name="transaction-tasks"),
    path(f"{_TASK}/attempts", transactions.Attempts.as_view(), name="task-attempts"),
    path(f"{_ONE}/logs", transactions.Logs.as_view(), name="transaction-logs"),
    path(f"{_ONE}/retry", acts.Retry.as_view(), name="transaction-retry"),
    path(f"{_ONE}/cancel", acts.Cancel.as_view(), name="transaction-cancel"),
    path(f"{_ONE}/pause", acts.Pause.as_view(), name="transaction-pause"),
    path(f"{_ONE}/resume", acts.Resume.as_view(), name="transaction-resume"),
    path(f"{_ONE}/close", acts.Close.as_view(), name="transaction-close"),
    path(f"{_TASK}/retry", acts.RetryTask.as_view(), name="task-retry"),
    path(f"{_TASK}/skip", acts.Skip.as_view(), name="task-skip"),
    path(f"{_TASK}/mark-success", acts.MarkSuccess.as_view(), name="task-mark-success"),
]
