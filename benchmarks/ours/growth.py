"""A store with a million finished instances in it, made by bulk SQL from one that the engine drove (G17).

python -m benchmarks.ours.growth --instances 1000000
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Final

from django.db import connection

from benchmarks.ours import project

CHUNK: Final = 20_000
# In the ids of a copy, where the pattern has its own instance id.
PATTERN: Final = "pattern"
COPIED: Final = {
    "execution_instance": "id",
    "execution_task": "instance_id",
    "execution_attempt": "instance_id",
    "execution_executionlog": "instance_id",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--instances", type=int, required=True)
    options = parser.parse_args()
    project.set_up()
    project.migrate()
    there = _finished()
    if there >= options.instances:
        print(f"{there} finished instances are there", file=sys.stderr)
        return
    project.empty_store()
    _drive_one()
    _make_numbers()
    started = time.monotonic()
    for first in range(0, options.instances, CHUNK):
        _copy(first, min(CHUNK, options.instances - first))
        print(f"{first + CHUNK} instances after {time.monotonic() - started:.0f} s", file=sys.stderr)
    with connection.cursor() as cursor:
        for table in COPIED:
            cursor.execute(f"ANALYZE TABLE {table}" if connection.vendor == "mysql" else f"ANALYZE {table}")


def _finished() -> int:
    from execution.models import Instance

    return Instance.objects.filter(status="success").count()


def _drive_one() -> None:
    """The pattern: one W1 instance, as the engine leaves it."""
    from benchmarks.workloads import PARAMS
    from disttask_project.kernel.actor import system_actor
    from execution.services.start import start_instance

    flow_id = project.flow_of("W1")
    start_instance(actor=system_actor("bench"), flow_id=flow_id, params=PARAMS, instance_id=PATTERN)
    hosts = project.Hosts(kind="runengine", processes=1)
    try:
        project.wait_ended(flow_id, hosts=hosts, within=60)
    finally:
        hosts.stop()
    if project.count_wrong(flow_id):
        raise RuntimeError("the pattern instance did not succeed")


def _make_numbers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_number")
        cursor.execute("CREATE TABLE bench_number (n bigint PRIMARY KEY)")
        cursor.execute("INSERT INTO bench_number VALUES (0)")
        size = 1
        while size < CHUNK:
            cursor.execute(f"INSERT INTO bench_number SELECT n + {size} FROM bench_number WHERE n < {CHUNK - size}")
            size *= 2


def _copy(first: int, count: int) -> None:
    """Copies of the pattern's rows; their ids hold the copy's number where the pattern's held its name."""
    made = f"concat('done-', lpad(cast(n + {first} AS char(9)), 9, '0'))"
    with connection.cursor() as cursor:
        for table, reference in COPIED.items():
            columns = [column.name for column in connection.introspection.get_table_description(cursor, table)]
            values = []
            for column in columns:
                if column == reference:
                    values.append(made)
                elif column in ("id", "key"):
                    values.append(f"replace({_quoted('p.' + column)}, '{PATTERN}', {made})")
                else:
                    values.append(_quoted("p." + column))
            names = ", ".join(_quoted(column) for column in columns)
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM {table} p CROSS JOIN bench_number "
                f"WHERE p.{reference} = '{PATTERN}' AND n < {count} ORDER BY n"
            )


def _quoted(name: str) -> str:
    return ".".join(connection.ops.quote_name(part) for part in name.split("."))


if __name__ == "__main__":
    main()
