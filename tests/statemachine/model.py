"""The model's people: what each act does to an instance, and which symbol refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.statemachine.model_driver import BUSY, FLOWS, LOST, NO, OK, Asked, Driven, ModelTask

__all__ = ["BUSY", "FLOWS", "LOST", "NO", "OK", "Asked", "ModelInstance", "Refused"]


class Refused(Exception):
    """The act does not fit; the symbol it is refused by."""


@dataclass(slots=True)
class ModelInstance(Driven):
    def act(self, asked: Asked) -> bool:
        """Do it, or raise `Refused`; False: it waits for the calls in flight."""
        if self.status in ("success", "cancelled") or self.closed:
            raise Refused("INSTANCE_ENDED")
        waits = getattr(self, f"_{asked.act}")(asked)
        if not waits:
            self.settle()
        return not waits

    def _wait(self, asked: Asked) -> bool:
        if self.waiting is not None:
            raise Refused("ACT_WAITING")
        self.waiting = asked
        return True

    def finish_waiting(self) -> None:
        if self.waiting is None or self.in_flight:
            return
        asked, self.waiting = self.waiting, None
        self.asked.remove(asked)
        if asked.act == "cancel":
            self._finish_cancel()
        elif self.status in ("pending", "running"):
            self._finish_pause()

    def _pause(self, asked: Asked) -> bool:
        if self.status not in ("pending", "running"):
            raise Refused("NOT_RUNNING")
        if self.in_flight:
            return self._wait(asked)
        self._finish_pause()
        return False

    def _finish_pause(self) -> None:
        self.paused_from, self.status = self.status, "paused"

    def _resume(self, _asked: Asked) -> bool:
        if self.status != "paused":
            raise Refused("NOT_PAUSED")
        self.status, self.paused_from = self.paused_from, ""
        return False

    def _cancel(self, asked: Asked) -> bool:
        if self.in_flight and not asked.force:
            return self._wait(asked)
        self.give_up()
        self._finish_cancel()
        return False

    def _finish_cancel(self) -> None:
        for task in self.tasks.values():
            if task.status == "retrying":
                task.status = "cancelled"
            if task.record:
                task.record = "resolved"
        self._closes()
        self.status = "cancelled"

    def _close(self, _asked: Asked) -> bool:
        if self.status != "failed":
            raise Refused("NOT_FAILED")
        for task in self.tasks.values():
            if task.status == "failed" and task.record:
                task.record = "resolved"
        self._closes()
        return False

    def _closes(self) -> None:
        self.poisoned = "resolved" if self.poisoned else ""
        self.closed = True

    def _retry(self, asked: Asked) -> bool:
        if asked.task_id:
            wanted = [asked.task_id]
        else:
            wanted = [task_id for task_id, task in self.tasks.items() if self._wants_retry(task_id, task)]
            if not wanted and self.status != "failed":
                raise Refused("NOTHING_TO_RETRY")
        for task_id in wanted:
            task = self.tasks[task_id]
            if task.status not in ("failed", "retrying"):
                raise Refused("NOT_RETRYABLE")
            if task.status == "retrying" and (task.due or task.fresh):
                raise Refused("ALREADY_RETRYING")
        self._reopen()
        for task_id in wanted:
            task = self.tasks[task_id]
            task.status, task.record, task.retries, task.due, task.fresh = "retrying", "retrying", 0, True, True
        return False

    def _wants_retry(self, task_id: str, task: ModelTask) -> bool:
        if task.status == "retrying":
            return not task.due
        return task.status == "failed" and not self.specs[task_id].optional

    def _reopen(self) -> None:
        if self.status == "failed":
            self.poisoned = "resolved" if self.poisoned else ""
            self.status, self.strikes = "running", 0

    def _skip(self, asked: Asked) -> bool:
        return self._end(asked.task_id, "skipped")

    def _mark_success(self, asked: Asked) -> bool:
        return self._end(asked.task_id, "success")

    def _end(self, task_id: str, status: str) -> bool:
        task = self.tasks[task_id]
        if task.status not in ("pending", "retrying", "failed"):
            raise Refused("WRONG_STATE")
        self._reopen()
        task.status, task.due, task.unknown = status, False, False
        task.record = "resolved" if task.record else ""
        return False

    def take_up(self) -> Iterator[tuple[Asked, str]]:
        """All that is asked, in order, by whoever has the instance; (act, symbol or "") for each that is decided."""
        for asked in [each for each in self.asked if each is not self.waiting]:
            try:
                decided, symbol = self.act(asked), ""
            except Refused as refused:
                decided, symbol = True, str(refused)
            if decided:
                self.asked.remove(asked)
                yield asked, symbol
        self.finish_waiting()
        self.settle()
