"""JSON for reading."""

from __future__ import annotations

import json
from typing import Any


def pretty(value: Any) -> str:
    """Indented, keys in their own order, non-ASCII as it is."""
    return json.dumps(value, ensure_ascii=False, indent=2)
