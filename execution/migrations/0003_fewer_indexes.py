"""Indexes that no query needs, and every row of the hot path paid for: about half of all of them on PostgreSQL."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

HOT = (
    "execution_instance",
    "execution_instancetag",
    "execution_task",
    "execution_attempt",
    "execution_executionlog",
)


def drop_pattern_indexes(_apps: Any, editor: Any) -> None:
    """Django adds a second index to text keys on PostgreSQL, for LIKE. Ours collate by bytes ("C"): the first serves."""
    if editor.connection.vendor != "postgresql":
        return
    with editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE schemaname = ANY (current_schemas(false)) "
            "AND tablename = ANY (%s) AND indexdef LIKE %s",
            [list(HOT), "%varchar_pattern_ops%"],
        )
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        editor.execute(f"DROP INDEX {editor.quote_name(name)}")


class Migration(migrations.Migration):
    dependencies = [
        ("execution", "0002_compensate_permission"),
    ]

    operations = [
        migrations.AlterField(
            model_name="attempt",
            name="instance",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="attempts",
                to="execution.instance",
            ),
        ),
        migrations.AlterField(
            model_name="task",
            name="instance",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="tasks",
                to="execution.instance",
            ),
        ),
        migrations.RunPython(drop_pattern_indexes, migrations.RunPython.noop),
    ]
