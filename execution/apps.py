"""The app, and the joining of task types: the built-in ones, then those of installed packages."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExecutionConfig(AppConfig):
    name = "execution"
    verbose_name = _("Instances")

    def ready(self) -> None:
        load_executors()


def load_executors() -> None:
    """Import every module of `execution.executors`, then what the entry points `disttask.executors` name.

    Importing registers. A package of somebody else that cannot be imported stops the start, by its name:
    flows that use its types could not run.
    """
    package = importlib.import_module("execution.executors")
    for module in pkgutil.walk_packages(package.__path__, "execution.executors."):
        importlib.import_module(module.name)
    for point in entry_points(group="disttask.executors"):
        point.load()
