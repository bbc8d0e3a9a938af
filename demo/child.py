"""Become a child that does not outlive the supervisor: `python child.py SUPERVISOR_PID COMMAND...`.

Linux sends SIGTERM to this process when its parent is gone, even after `kill -9`; elsewhere the next start
ends what was left over. A program of its own because `preexec_fn` is not safe beside threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Ask the kernel for SIGTERM at the parent's death; ends at once where it died before we could ask."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  the command is the supervisor's own list
