"""How far this process grew, by the kernel's own mark of the highest point."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")


@dataclass
class Growth:
    bytes: int = 0


@contextmanager
def peak_growth() -> Iterator[Growth]:
    """`bytes` afterwards: the highest resident size within the block, above the one it began with."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the mark begins anew
    before = _field("VmRSS")
    growth = Growth()
    yield growth
    growth.bytes = _field("VmHWM") - before


def _field(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
