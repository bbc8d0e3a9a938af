"""End the bench's own servers: python -m benchmarks.stop. What they hold stays for the next time."""

from __future__ import annotations

from benchmarks import servers

if __name__ == "__main__":
    servers.stop(servers.named())
