"""How a participant (ours or a peer) and the rounds talk: over its standard input and output, a line each way.

    participant: READY            everything is started and warm
    rounds:      GO               counters were read
    participant: {"seconds": ..}  the work is finished and recorded
    rounds:      END              counters were read again; now clean up

Only the standard library: participants run in environments of their own.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Final

READY: Final = "READY"
GO: Final = "GO"
END: Final = "END"


class Gate:
    """The participant's side. Whatever else prints goes to standard error, so that the lines stay clean."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def ready(self) -> None:
        print(READY, file=self._out)
        self._wait_for(GO)

    def done(self, **facts: Any) -> None:
        print(json.dumps(facts), file=self._out)
        self._wait_for(END)

    def _wait_for(self, word: str) -> None:
        line = sys.stdin.readline().strip()
        if line != word:
            # The rounds are gone: nobody is left to measure for.
            raise SystemExit(f"expected {word}, got {line!r}")
