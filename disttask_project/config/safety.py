"""Starts that are refused: what would run, but open to anybody or on sand."""

from __future__ import annotations

import secrets
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from disttask_project.config.databases import broker, database
from disttask_project.config.reader import Configuration
from disttask_project.config.sources import Fault

MIN_SECRET: Final = 50
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
GENERATE: Final = "python -c 'import secrets; print(secrets.token_urlsafe(64))'"


def faults_of(config: Configuration) -> list[Fault]:
    """All that keeps this configuration from starting, and what deserves a warning."""
    faults = list(config.faults)
    for rule in RULES:
        faults.extend(rule(config))
    return faults


def refusal(faults: list[Fault]) -> str | None:
    """The text to stop with, or None."""
    errors = [str(fault) for fault in faults if fault.is_error]
    if not errors:
        return None
    return "\n".join(["disttask does not start with this configuration:", *errors])


def usable(config: Configuration, faults: list[Fault]) -> Configuration:
    """The same with refused settings put aside, so that `check` and `showconfig` can run and show them."""
    aside = {fault.setting for fault in faults if fault.is_error and fault.setting}
    entries = {
        name: replace(entry, value=entry.key.default, source="default") if name in aside else entry
        for name, entry in config.entries.items()
    }
    if "SECRET_KEY" in aside:
        entries["SECRET_KEY"] = replace(entries["SECRET_KEY"], value=secrets.token_urlsafe(64))
    return replace(config, entries=entries)


def _secret_key(config: Configuration) -> Iterator[Fault]:
    entry = config.entries["SECRET_KEY"]
    mend = f"Set DISTTASK_SECRET_KEY or DISTTASK_SECRET_KEY_FILE to the output of: {GENERATE}"
    if not entry.value:
        yield Fault(id="E004", message="[app] secret_key is missing.", mend=mend, setting="SECRET_KEY")
    elif entry.value.startswith("django-insecure-") or len(set(entry.value)) < 5:
        yield Fault(
            id="E004",
            message=f"[app] secret_key from {entry.source} is a placeholder that anybody can guess.",
            mend=mend,
            setting="SECRET_KEY",
        )
    elif len(entry.value) < MIN_SECRET:
        yield Fault(
            id="E004",
            message=f"[app] secret_key from {entry.source} is shorter than {MIN_SECRET} characters.",
            mend=mend,
            setting="SECRET_KEY",
        )


def _hosts(config: Configuration) -> Iterator[Fault]:
    entry = config.entries["ALLOWED_HOSTS"]
    mend = "Name the hosts under which people visit: DISTTASK_ALLOWED_HOSTS=disttask.example.com"
    relaxed = config["PROFILE"] != "production" or config["DEBUG"]
    if not entry.value:
        yield Fault(
            id="E005",
            message=f"[app] allowed_hosts from {entry.source} is empty: every request would be refused.",
            mend=mend,
        )
    elif "*" in entry.value and not relaxed:
        yield Fault(
            id="E005",
            message=f"[app] allowed_hosts from {entry.source} holds '*': any host name would be believed.",
            mend=mend,
        )
    elif _is_public(config) and set(entry.value) <= LOOPBACK:
        yield Fault(
            id="W002",
            message=f"[app] host {config['HOST']} is reachable from outside, "
            f"but allowed_hosts ({entry.source}) only names loopback: others get 400.",
            mend=mend,
        )


def _debug(config: Configuration) -> Iterator[Fault]:
    if config["DEBUG"] and _is_public(config):
        yield Fault(
            id="E006",
            message=f"[app] debug is on ({config.entries['DEBUG'].source}) while [app] host "
            f"{config['HOST']} ({config.entries['HOST'].source}) is reachable from outside: "
            "error pages would show settings.",
            mend="Set DISTTASK_DEBUG=false, or bind to 127.0.0.1.",
        )


def _demo(config: Configuration) -> Iterator[Fault]:
    if config["PROFILE"] == "demo" and _is_public(config):
        yield Fault(
            id="W003",
            message=f"The demo profile ({config.entries['PROFILE'].source}) is served on "
            f"{config['HOST']}, reachable from outside.",
            mend="Use the production profile for anything but a demonstration.",
        )


def _database(config: Configuration) -> Iterator[Fault]:
    try:
        database(config.section("database"), home=config.home)
    except ValueError as error:
        source = config.entries["DATABASE_URL"].source
        yield Fault(
            id="E007",
            message=f"[database] url from {source}: {error}.",
            mend="For example DISTTASK_DATABASE_URL=mysql://user:password@host:3306/disttask",
            setting="DATABASE_URL",
        )


def _connections(config: Configuration) -> Iterator[Fault]:
    for name, entries in config.tables["db.connections"].items():
        values = {inner: entry.value for inner, entry in entries.items()}
        label = f"[db.connections.{name}]"
        if not (values["url"] or values["host"] or values["name"]):
            yield Fault(id="E007", message=f"{label} names no database.", mend="Give it a url, or host and name.")
            continue
        if "${" in values["url"]:
            continue  # holds a secret by reference, resolved when it is opened
        try:
            database(values, home=config.home)
        except ValueError as error:
            yield Fault(
                id="E007",
                message=f"{label} url from {entries['url'].source}: {error}.",
                mend="For example mysql://user:password@host:3306/name",
            )


def _broker(config: Configuration) -> Iterator[Fault]:
    entry = config.entries["BROKER_URL"]
    try:
        broker(entry.value)
    except ValueError as error:
        yield Fault(
            id="E008",
            message=f"[broker] url from {entry.source}: {error}.",
            mend="Leave it away for the database, or set DISTTASK_BROKER_URL=redis://host:6379/0",
            setting="BROKER_URL",
        )


def _time_zone(config: Configuration) -> Iterator[Fault]:
    entry = config.entries["TIME_ZONE"]
    if entry.value not in zoneinfo.available_timezones():
        yield Fault(
            id="E001",
            message=f"[app] time_zone: wrong value {entry.value!r} from {entry.source}: no such zone.",
            mend="Use an IANA name such as Asia/Shanghai.",
            setting="TIME_ZONE",
        )


def _rocketmq(config: Configuration) -> Iterator[Fault]:
    needed = {"rocketmq4": "namesrv", "rocketmq5": "endpoints"}.get(config["MQ_BACKEND"])
    if needed and not config[f"ROCKETMQ_{needed.upper()}"]:
        yield Fault(
            id="E009",
            message=f"[mq] backend {config['MQ_BACKEND']} ({config.entries['MQ_BACKEND'].source}) "
            f"needs [rocketmq] {needed}, which is empty.",
            mend=f"Set DISTTASK_ROCKETMQ_{needed.upper()}=host:port",
        )


def _is_public(config: Configuration) -> bool:
    return config["HOST"] not in LOOPBACK


RULES: Final[tuple[Callable[[Configuration], Iterator[Fault]], ...]] = (
    _secret_key,
    _hosts,
    _debug,
    _demo,
    _database,
    _connections,
    _broker,
    _time_zone,
    _rocketmq,
)
