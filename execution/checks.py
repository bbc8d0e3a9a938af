"""`manage.py check` for the task types and what the configuration says about them."""

from __future__ import annotations

import inspect
import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004  Django's own word
from pydantic import BaseModel

from execution.executors.base import Executor, executor_types
from execution.executors.db.spec import ANY_TABLE, BadConnection, read_spec
from execution.executors.mq.executor import backend_fault
from execution.executors.options import DbOptions, db_options, http_options, mq_options, rpc_options
from execution.executors.rpc.services import BadService, read_service
from execution.executors.tls import Certificates


@register("execution")
def check_task_types(**_kwargs: Any) -> Sequence[CheckMessage]:
    """Every registered type is complete. (One registered twice stops the start already.)"""
    return [
        Error(fault, hint="See execution/executors/base.py.", obj=executor, id="execution.E001")
        for executor in executor_types().values()
        for fault in _type_faults(executor)
    ]


def _type_faults(executor: type[Executor]) -> Iterator[str]:
    label = f"The task type {executor.name!r} ({executor.__module__})"
    model = getattr(executor, "config_model", None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        yield f"{label} has no config_model."
    elif model.model_config.get("extra") != "forbid":
        yield f'{label} lets unknown keys pass: give {model.__name__} extra="forbid".'
    if not executor.description:
        yield f"{label} has no description."
    if inspect.isabstract(executor):
        yield f"{label} does not implement execute."
    if inspect.iscoroutinefunction(executor.execute) != executor.is_async:
        yield f"{label} says is_async={executor.is_async}, and its execute is otherwise."


@register("execution")
def check_connections(**_kwargs: Any) -> Sequence[CheckMessage]:
    """Every named connection can be read, allows something, and nothing of ours."""
    options = db_options()
    return [message for alias in options.connections for message in _connection_faults(alias, options)]


def _connection_faults(alias: str, options: DbOptions) -> Iterator[CheckMessage]:
    label = f"[db.connections.{alias}]"
    try:
        spec = read_spec(alias, options.connections[alias], home=options.home)
    except BadConnection as error:
        if "${secret:" not in str(options.connections[alias].get("url", "")):
            yield Error(
                f"{label}: {error.args[0]}.",
                hint="For example url = mysql://user:password@host:3306/name",
                id="execution.E002",
            )
        return
    if not spec.tables:
        yield Warning(
            f"{label} allows no table, so no task can use it.",
            hint='Add tables = ["orders", ...].',
            id="execution.W001",
        )
    if spec.place not in options.engine_databases:
        return
    ours = sorted(table for table in spec.tables if table.lower() in options.engine_tables or table == ANY_TABLE)
    if ours:
        yield Error(
            f"{label} is disttask's own database and allows its tables: {', '.join(ours)}.",
            hint="Name the business tables one by one; the engine's own stay refused.",
            id="execution.E003",
        )


@register("execution")
def check_targets(**_kwargs: Any) -> Sequence[CheckMessage]:
    """Address lists hold networks and names."""
    found: list[CheckMessage] = []
    for section, options in (("http", http_options()), ("rpc", rpc_options())):
        for network in options.allow_networks:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                found.append(
                    Error(
                        f"[{section}] allow_networks: {network!r} is no network.",
                        hint="For example 10.0.0.0/8 or ::1/128.",
                        id="execution.E004",
                    )
                )
        found += [
            Error(
                f"[{section}] allow_hosts: {host!r} is no host name.",
                hint="For example payments.internal or *.svc.cluster.local, without scheme, port and path.",
                id="execution.E005",
            )
            for host in options.allow_hosts
            if not host or any(sign in host for sign in "/: ")
        ]
    return found


@register("execution")
def check_services(**_kwargs: Any) -> Sequence[CheckMessage]:
    """Every [rpc.services.<name>] says how and where it is reached."""
    found: list[CheckMessage] = []
    for name, raw in rpc_options().services.items():
        try:
            read_service(name, raw)
        except BadService as error:
            found.append(
                Error(
                    f"[rpc.services.{name}]: {error.message}.",
                    hint="For example target = payment:50051",
                    id="execution.E007",
                )
            )
    return found


@register("execution")
def check_certificates(**_kwargs: Any) -> Sequence[CheckMessage]:
    """Every [http.tls.<name>] has a key where it has a certificate."""
    return [
        Error(
            f"[http.tls.{name}]: a certificate needs its key, and a key its certificate.",
            hint="Give cert_file and key_file, both or neither.",
            id="execution.E008",
        )
        for name, raw in http_options().tls.items()
        if Certificates.read(raw).fault
    ]


@register("execution")
def check_backend(**_kwargs: Any) -> Sequence[CheckMessage]:
    """The mq backend named in the configuration is there."""
    fault = backend_fault(mq_options().backend)
    return [Error(str(fault), hint="Set [mq] backend = local.", id="execution.E006")] if fault else []
