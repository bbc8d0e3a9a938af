"""A flow of 10,000 tasks: validated, drawn, driven (G16). A hundred layers of a hundred; each task waits for three.

python -m benchmarks.ours.dag --layers 100 --width 100
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

from benchmarks.ours import project
from benchmarks.protocol import Gate


def definition(layers: int, width: int) -> dict[str, Any]:
    tasks = []
    for layer in range(layers):
        for place in range(width):
            before = [f"t{layer - 1}-{(place + step) % width}" for step in range(min(3, width))] if layer else []
            tasks.append(
                {
                    "id": f"t{layer}-{place}",
                    "task_name": "noop",
                    "depends_on": before,
                    "input": {"order": "${params.order}"},
                }
            )
    return {"name": f"bench-dag-{layers}x{width}", "tasks": tasks}


def check(layers: int, width: int) -> dict[str, float]:
    """Seconds and megabytes of validation, seconds of drawing: in a process of its own, for the memory's sake."""
    from flows.domain.compiling import compile_flow
    from flows.domain.definition import prepare_definition
    from flows.domain.drawing import draw_svg, graph_of
    from flows.selectors import load_catalog

    text = json.dumps(definition(layers, width))
    catalog = load_catalog()
    # What the first use of the parts costs (imports, the expression engine) is not this flow's.
    prepare_definition(json.dumps(definition(1, 1)), catalog=catalog)
    before = _peak_mb()
    started = time.perf_counter()
    prepared = prepare_definition(text, catalog=catalog)
    validated = time.perf_counter()
    peak = _peak_mb()
    assert prepared.pinned is not None, prepared.report.problems[:3]
    flow = compile_flow(prepared.pinned)
    compiled = time.perf_counter()
    picture = draw_svg(graph_of(flow), standalone=True)
    drawn = time.perf_counter()
    if picture.count("<rect") < layers * width:
        raise RuntimeError("the picture leaves tasks out")
    return {
        "validate_seconds": round(validated - started, 3),
        "validate_mb": round(peak - before, 1),
        "draw_seconds": round(drawn - compiled, 3),
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def drive(layers: int, width: int, gate: Gate) -> None:
    from benchmarks.workloads import PARAMS
    from disttask_project.kernel.actor import system_actor
    from execution.services.start import start_instance

    own = subprocess.run(
        [sys.executable, "-m", "benchmarks.ours.dag", "--only-check", "--layers", str(layers), "--width", str(width)],
        check=True,
        cwd=project.ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    checked = json.loads(own.stdout.splitlines()[-1])
    project.empty_store()
    flow_id = project.save_flow(definition(layers, width))
    hosts = project.Hosts(kind="runcluster", processes=2)
    try:
        project.warm_up(hosts, project.flow_of("W3"), few=20)
        gate.ready()
        started = time.perf_counter()
        start_instance(actor=system_actor("bench"), flow_id=flow_id, params=PARAMS)
        project.wait_ended(flow_id, hosts=hosts)
        seconds = time.perf_counter() - started
        gate.done(seconds=seconds, drive_seconds=round(seconds, 3), wrong=project.count_wrong(flow_id), **checked)
    finally:
        hosts.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, default=100)
    parser.add_argument("--width", type=int, default=100)
    parser.add_argument("--only-check", action="store_true")
    options = parser.parse_args()
    if options.only_check:
        project.set_up()
        print(json.dumps(check(options.layers, options.width)))
        return
    gate = Gate()
    project.set_up()
    drive(options.layers, options.width, gate)


if __name__ == "__main__":
    main()
