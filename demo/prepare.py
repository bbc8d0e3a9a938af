"""What `make run` does before anything starts: tables, the user admin, the demo flow and its orders.

python -m demo.prepare [--reset]
"""

from __future__ import annotations

import argparse
import json
import os
import sys

import django

from demo.places import place


def main() -> int:
    parser = argparse.ArgumentParser(description="Prepare the store for the demo.")
    parser.add_argument("--reset", action="store_true", help="remove the demo's instances first")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "disttask_project.settings")
    django.setup()
    from demo import loading, tables  # noqa: PLC0415  models can be imported only now

    here = place()
    tables.migrate()
    answer = {"password_stands": tables.ensure_admin(here)}
    if options.reset:
        loading.remove_orders()
    for reason in loading.load(here).refused:
        print(f"a demo order was not started: {reason}", file=sys.stderr)
    here.targets.mkdir(parents=True, exist_ok=True)
    here.prepared.write_text(json.dumps(answer), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
