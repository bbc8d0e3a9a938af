"""Every error symbol with its status and what to do: the source of `docs/errors.md`, kept complete by a test."""

from __future__ import annotations

from typing import Final

# symbol: (HTTP status, when, what to do)
SYMBOLS: Final[dict[str, tuple[int, str, str]]] = {
    "BAD_JSON": (
        400,
        "The body is no JSON, or none that every store keeps: a key twice, NaN, an integer beyond 64 bits, NUL.",
        "Mend the body at the place the message names.",
    ),
    "MALFORMED": (400, "The request cannot be read.", "Send a well-formed HTTP request."),
    "UNAUTHENTICATED": (401, "No token was sent.", "Send `Authorization: Bearer TOKEN`, or sign in to the console."),
    "BAD_TOKEN": (
        401,
        "The token is wrong, has expired or was revoked.",
        "Make a new one: `manage.py createtoken USER`.",
    ),
    "FORBIDDEN": (403, "A permission is missing; the message names it.", "Ask an administrator for the permission."),
    "NOT_FOUND": (404, "There is no such object, or no such address.", "Check the ID; paths have no slash at the end."),
    "FLOW_NOT_FOUND": (404, "There is no flow with this name or ID.", "List the flows; case counts in names."),
    "VERSION_NOT_FOUND": (404, "The flow has no version with this number.", "List the versions of the flow."),
    "TASK_DEFINITION_NOT_FOUND": (404, "The catalog has no entry with this name.", "List the catalog."),
    "DESCRIPTOR_SET_NOT_FOUND": (404, "The catalog has no set with this hash.", "List the descriptor sets."),
    "SECRET_NOT_FOUND": (404, "The store holds no secret with this name.", "List the stored secrets."),
    "TARGET_NOT_FOUND": (404, "No call has gone to such a target, or it is no target's ID.", "List the targets."),
    "UNKNOWN_TASK": (404, "The flow has no task with this ID.", "List the tasks of the transaction."),
    "METHOD_NOT_ALLOWED": (405, "The address does not take this method.", "See the API documentation."),
    "NOT_ACCEPTABLE": (406, "Another form than JSON was asked for.", "Send `Accept: application/json`."),
    "CONFLICT": (409, "The object's state, or somebody else, stands in the way.", "Look at the object again."),
    "INSTANCE_ID_TAKEN": (
        409,
        "The instance ID belongs to another start with other content.",
        "Use another ID, or send the very content of the first start.",
    ),
    "FLOW_INACTIVE": (409, "The flow takes no new starts.", "Activate it."),
    "FLOW_NOT_PUBLISHED": (409, "The version, or every version, is a draft.", "Publish it."),
    "FLOW_NAME_TAKEN": (409, "A living flow has this name.", "Save a version of that flow, or choose another name."),
    "VERSION_CONFLICT": (409, "Somebody saved another version since.", "Load the flow again and repeat the change."),
    "TASK_DEFINITION_TAKEN": (409, "The catalog has an entry with this name.", "Change it with PUT."),
    "TOO_MANY_SECRETS": (409, "The store holds as many secrets as it may.", "Remove some first."),
    "CODE_ENTRY": (409, "The entry comes with the code.", "Make an entry under another name."),
    "DESCRIPTOR_SET_USED": (
        409,
        "A flow names the descriptor set by its hash.",
        "Save a version of the flow that does not.",
    ),
    "TOO_MANY_DESCRIPTOR_SETS": (409, "The catalog is full of descriptor sets.", "Remove those that nobody uses."),
    "INSTANCE_ENDED": (409, "The transaction has ended.", "Nothing: it cannot be changed any more."),
    "ALREADY_ASKED": (409, "The same act is waiting for its worker.", "Wait a moment and look again."),
    "ACT_WAITING": (409, "A cancel or pause waits for calls in flight.", "Wait for them, or cancel by force."),
    "ALREADY_HANDLED": (409, "Somebody has marked the exception as handled.", "Nothing; the message says who."),
    "EXCEPTION_MOVED": (
        409,
        "Somebody was first, or the exception's state does not allow the act.",
        "Look at the exception again; the message says who.",
    ),
    "NOTHING_TO_RETRY": (409, "No task has failed or waits for a retry.", "Look at the transaction again."),
    "NOT_RETRYABLE": (409, "The task has neither failed nor waits for a retry.", "Look at the task again."),
    "ALREADY_RETRYING": (409, "A retry of the task has been asked and is about to be made.", "Wait for its outcome."),
    "PARKED": (
        409,
        "The transaction was parked after the act was asked.",
        "Look at why it was parked, then ask again.",
    ),
    "OUTCOME_UNKNOWN": (
        409,
        "Nobody knows whether an attempt took effect, and it would be sent again under a new key, or undone.",
        'Find out at the target; then retry with `"outcome": "not_applied"`, or mark the task as successful.',
    ),
    "NOT_UNKNOWN": (409, "Everybody knows what became of the task.", "Look at the task again."),
    "NOT_RERUNNABLE": (409, "The task has not run yet, or is under way.", "Look at the task again."),
    "TASK_RUNNING": (409, "A task that would be run again is under way.", "Wait until it has ended."),
    "COMPENSATING": (409, "The transaction is being undone.", "Act on the undo that stands still (`deduct.undo`)."),
    "NOT_BEING_UNDONE": (409, "The task of this undo is not being undone.", "Look at the transaction again."),
    "NOT_COMPENSABLE": (409, "In its state the transaction has nothing to undo.", "Look at the transaction again."),
    "NOTHING_TO_UNDO": (409, "No task took effect that says how it is undone.", "Close the transaction, or mend it."),
    "NOT_UNDOABLE": (409, "A named task has nothing to undo.", "Look at the compensation plan."),
    "UNDO_ORDER": (
        409,
        "What came after a named task would be left as it is.",
        "Name the later tasks too, or say that they are undone already.",
    ),
    "WRONG_STATE": (409, "The task's state does not allow the act.", "Look at the task again."),
    "NOT_RUNNING": (409, "Only a running transaction can be paused.", "Look at the transaction again."),
    "NOT_PAUSED": (409, "Only a paused transaction can be resumed.", "Look at the transaction again."),
    "NOT_FAILED": (409, "Only a failed transaction can be closed.", "Look at the transaction again."),
    "BODY_TOO_LARGE": (413, "The body exceeds `[api] max_body_bytes`.", "Send less at a time, or raise the limit."),
    "UNSUPPORTED_MEDIA_TYPE": (415, "The body is not JSON.", "Send `Content-Type: application/json`."),
    "INVALID_INPUT": (
        422,
        "The content is wrong; `errors` lists every fault with its path.",
        "Mend what `errors` names.",
    ),
    "INVALID_DEFINITION": (
        422,
        "The flow definition has problems; `errors` lists all of them with their paths.",
        "Mend what `errors` names; `POST /flows/validate` checks without saving.",
    ),
    "NOT_AVAILABLE": (422, "The act is not available yet.", "Use one of the acts that the documentation lists."),
    "RECORD_REFUSED": (422, "The database cannot store the content.", "Shorten or mend the values."),
    "TOO_MANY_REQUESTS": (429, "The token has used up its requests of this minute.", "Wait for `Retry-After`."),
    "BACKLOG_FULL": (
        429,
        "The flow has more unfinished transactions than `[limits] max_backlog`.",
        "Start again after `Retry-After` seconds; the same instance ID starts once.",
    ),
    "INTERNAL": (500, "Something went wrong on our side.", "Give the request ID to your administrator."),
    "UNAVAILABLE": (503, "A part we depend on is away or busy.", "Ask again after `Retry-After` seconds."),
    "NOT_READY": (503, "`/readyz`: a check failed; `errors` names it.", "Mend the named part."),
}


def as_markdown() -> str:
    """The page `docs/errors.md`."""
    lines = [
        "# Errors",
        "",
        "Generated by `manage.py errordocs`; do not edit. Every failing answer of REST, gRPC and the commands carries",
        "one of these symbols in `error`; `message` is for people and follows the language, the symbol never changes.",
        "",
        "| symbol | status | when | what to do |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| `{name}` | {status} | {when} | {mend} |" for name, (status, when, mend) in SYMBOLS.items()]
    return "\n".join(lines) + "\n"
