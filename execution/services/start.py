"""Starting instances: everything is checked before a row is written, and the same start twice is one instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from disttask_project.kernel import json
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.errors import Conflict, DisttaskError, InvalidInput, Problem
from disttask_project.kernel.ids import INSTANCE_ID, new_id
from disttask_project.kernel.messages import text
from execution.engine.loading import current_store
from execution.models import Instance
from execution.services.backlog import check_backlog
from execution.services.bell import ring_on_commit
from execution.services.faults import telling_store_faults
from execution.services.tags import render_tags
from execution.stores.base import NewInstance
from flows.domain.compiled import CompiledFlow
from flows.domain.parameters import check_params
from flows.selectors import compiled_version
from flows.starting import FlowRef, Startable, startable

MAX_BULK: Final = 1_000
PERMISSION: Final = "execution.start_instance"
TAKEN: Final = "INSTANCE_ID_TAKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start as it was asked for, decoded from JSON and not yet checked."""

    flow_name: str | None = None
    flow_id: str | None = None
    version: int | None = None
    params: Any = None
    instance_id: str | None = None
    tags: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The answer to a start. `created` False: the same start was made before, and this is how it stands now."""

    instance_id: str
    created: bool
    flow_id: str
    flow_name: str
    flow_version: int
    status: str

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}  # `asdict` copies deeply, ten times as long


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    row: NewInstance
    version: Startable


def start_instance(
    *,
    actor: Actor,
    flow_name: str | None = None,
    flow_id: str | None = None,
    version: int | None = None,
    params: Any = None,
    instance_id: str | None = None,
    tags: Any = None,
) -> Started:
    """Start one instance, in the caller's transaction if there is one.

    Without `instance_id` one is made. The same id with the same content gives the first answer again, whatever
    became of the flow meanwhile; with other content it raises `Conflict` INSTANCE_ID_TAKEN.
    """
    asked = Start(
        flow_name=flow_name, flow_id=flow_id, version=version, params=params, instance_id=instance_id, tags=tags
    )
    outcome = start_instances(starts=[asked], actor=actor)[0]
    if isinstance(outcome, DisttaskError):
        raise outcome
    return outcome


def start_instances(*, starts: Sequence[Start], actor: Actor) -> list[Started | DisttaskError]:
    """Start many in one multi-row insert; each has its own answer, in the order asked, and one fault stops no other."""
    actor.require(PERMISSION)
    if not 1 <= len(starts) <= MAX_BULK:
        message = text("Start 1 to {limit} transactions at a time.", limit=MAX_BULK)
        raise InvalidInput(message, problems=[Problem(loc=("transactions",), code="too_long", message=message)])
    preparing = _Preparing(actor)
    prepared = [preparing.prepare(start) for start in starts]
    return _insert(starts, prepared)


class _Preparing:
    """Checks starts; what several of them share (a flow, a compiled version) is looked up once."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._versions: dict[FlowRef, Startable | DisttaskError] = {}

    def prepare(self, start: Start) -> _Prepared | DisttaskError:
        try:
            return self._checked(start)
        except DisttaskError as error:
            return error

    def _checked(self, start: Start) -> _Prepared:
        params = {} if start.params is None else start.params
        _check_shape(start, params)
        version = self._version(FlowRef(flow_id=start.flow_id, flow_name=start.flow_name, version=start.version))
        flow = compiled_version(version.version_id)
        _check_params(flow, params)
        check_backlog(version.flow_id, flow_name=version.flow_name)
        instance_id = start.instance_id or new_id()
        row = NewInstance(
            id=instance_id,
            flow_id=version.flow_id,
            version_id=version.version_id,
            params=params,
            tags=render_tags(
                flow, params=params, asked=start.tags or {}, instance_id=instance_id, version=version.number
            ),
            digest=digest_of(start, flow_id=version.flow_id),
            deadline_seconds=flow.timeout_seconds,
            create_user=self._actor.name,
            request_id=self._actor.request_id,
        )
        return _Prepared(row=row, version=version)

    def _version(self, ref: FlowRef) -> Startable:
        found = self._versions.get(ref)
        if found is None:
            try:
                found = startable(ref)
            except DisttaskError as error:
                found = error
            self._versions[ref] = found
        if isinstance(found, DisttaskError):
            raise found
        return found


def digest_of(start: Start, *, flow_id: str) -> str:
    """What makes two starts the same: the content as it was asked for, not what a later version makes of it."""
    return json.digest(
        {"flow": flow_id, "version": start.version, "params": start.params or {}, "tags": start.tags or {}}
    )


def _check_shape(start: Start, params: Any) -> None:
    problems: list[Problem] = []
    if start.instance_id is not None and not INSTANCE_ID.fullmatch(start.instance_id):
        message = text("An instance ID is 1 to 64 letters, digits and . _ @ + = -")
        problems.append(Problem(loc=("instance_id",), code="bad_id", message=message))
    if not isinstance(params, dict):
        message = text("params must be a JSON object.")
        problems.append(Problem(loc=("params",), code="wrong_type", message=message))
    elif fault := json.fault_in(params):
        message = text("params cannot be stored: {fault}.", fault=fault)
        problems.append(Problem(loc=("params",), code="bad_value", message=message))
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)


def _check_params(flow: CompiledFlow, params: Mapping[str, Any]) -> None:
    found = check_params(flow, params)
    if found:
        problems = [Problem(loc=("params", *each.loc), code=each.code, message=each.message) for each in found]
        raise InvalidInput(text("The parameters do not fit the flow's input schema."), problems=problems)


def _insert(starts: Sequence[Start], prepared: Sequence[_Prepared | DisttaskError]) -> list[Started | DisttaskError]:
    rows: dict[str, NewInstance] = {}
    for each in prepared:
        if isinstance(each, _Prepared):
            rows.setdefault(each.row.id, each.row)
    known: Mapping[str, str] = {}
    if rows:
        with telling_store_faults():
            known = current_store().insert_instances([rows[key] for key in sorted(rows)])
        if len(known) < len(rows):
            ring_on_commit()
    repeats = _Repeats(starts, prepared, known)
    answers: list[Started | DisttaskError] = []
    first: set[str] = set()
    for start, each in zip(starts, prepared, strict=True):
        if isinstance(each, DisttaskError):
            answers.append(repeats.answer_to_refused(start, each))
            continue
        is_first = each.row.id not in first and each.row.id not in known
        first.add(each.row.id)
        if is_first:
            answers.append(_fresh(each))
        else:
            answers.append(repeats.answer(each, rows[each.row.id].digest))
    return answers


def _fresh(each: _Prepared, *, created: bool = True, status: str = "pending") -> Started:
    return Started(
        instance_id=each.row.id,
        created=created,
        flow_id=each.version.flow_id,
        flow_name=each.version.flow_name,
        flow_version=each.version.number,
        status=status,
    )


class _Repeats:
    """Answers to ids that were there before. A repeated start is answered even if it could not be made today."""

    def __init__(
        self, starts: Sequence[Start], prepared: Sequence[_Prepared | DisttaskError], known: Mapping[str, str]
    ) -> None:
        self._known = known
        ids = set(known)
        for start, each in zip(starts, prepared, strict=True):
            if isinstance(each, DisttaskError) and start.instance_id and INSTANCE_ID.fullmatch(start.instance_id):
                ids.add(start.instance_id)
        rows = Instance.objects.filter(pk__in=ids).select_related("flow", "version") if ids else ()
        self._rows = {row.pk: row for row in rows}

    def answer(self, each: _Prepared, twin_digest: str) -> Started | DisttaskError:
        """To an id that was taken: by a row found (`known`), or by an earlier start of the same bulk."""
        if self._known.get(each.row.id, twin_digest) != each.row.digest:
            return _taken(each.row.id)
        row = self._rows.get(each.row.id)
        return _again(row) if row is not None else _fresh(each, created=False)

    def answer_to_refused(self, start: Start, error: DisttaskError) -> Started | DisttaskError:
        row = self._rows.get(start.instance_id or "")
        if row is None:
            return error
        named = start.flow_id == row.flow_id or (start.flow_id is None and start.flow_name == row.flow.name)
        if named and isinstance(start.params or {}, dict) and digest_of(start, flow_id=row.flow_id) == row.digest:
            return _again(row)
        return error if isinstance(error, InvalidInput) else _taken(row.pk)


def _again(row: Instance) -> Started:
    return Started(
        instance_id=row.pk,
        created=False,
        flow_id=row.flow_id,
        flow_name=row.flow.name,
        flow_version=row.version.number,
        status=row.status,
    )


def _taken(instance_id: str) -> Conflict:
    return Conflict(
        text("The instance ID {id} is taken by another start with other content.", id=instance_id), symbol=TAKEN
    )
