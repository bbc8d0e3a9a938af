"""The store and its first user, for `demo.prepare`."""

from __future__ import annotations

import os
from typing import Final

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from demo.configuring import PASSWORD_VARIABLE, admin_password
from demo.places import Place

ADMIN: Final = "admin"


def migrate() -> None:
    """Only where something is missing: a second start has to be quick."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)


def ensure_admin(here: Place) -> bool:
    """Make the user once. False: somebody gave it another password in the console, which stays as it is."""
    password = admin_password(here.home)
    user = User.objects.filter(username=ADMIN).first()
    if user is None:
        User.objects.create_superuser(ADMIN, password=password)
        return True
    if user.check_password(password):
        return True
    if os.environ.get(PASSWORD_VARIABLE):
        user.set_password(password)
        user.save(update_fields=["password"])
        return True
    return False
