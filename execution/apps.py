"""The app, and the joining of task types: the built-in ones, then those of installed packages."""

from __future__ import annotations

import importlib
import os
import pkgutil
from importlib.metadata import entry_points

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExecutionConfig(AppConfig):
    name = "execution"
    verbose_name = _("Instances")

    def ready(self) -> None:
        from execution import checks, jobs  # noqa: F401, PLC0415  models must be loaded first
        from execution.executors import base, schema  # noqa: PLC0415
        from execution.selectors import failures  # noqa: PLC0415
        from execution.services import bell  # noqa: PLC0415
        from flows import drills  # noqa: PLC0415
        from flows.domain import catalog  # noqa: PLC0415

        bell.join(jobs.ring)
        jobs.join_queue()
        drills.join(failures.plain_matrix)
        load_executors()
        for executor in base.executor_types().values():
            catalog.register_task_type(
                executor.name,
                config_problems=executor.config_problems,
                schema=schema.config_schema(executor.config_model),
                description=executor.description,
                idempotent=executor.idempotent,
            )


def load_executors() -> None:
    """Import every module of `execution.executors`, then what the entry points `disttask.executors` name.

    Importing registers. A package of somebody else that cannot be imported stops the start, by its name:
    flows that use its types could not run.
    """
    # gRPC's core writes to standard error on its own; what matters comes back as a status.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    package = importlib.import_module("execution.executors")
    for module in pkgutil.walk_packages(package.__path__, "execution.executors."):
        importlib.import_module(module.name)
    for point in entry_points(group="disttask.executors"):
        point.load()
