"""The secret store of a process without a database."""

from __future__ import annotations

from disttask_project.secretstore.selectors import SecretValues


class NoStore(SecretValues):
    """Always fresh and always empty."""

    is_fresh = True
    was_read = True

    def refresh(self) -> None:
        return None
