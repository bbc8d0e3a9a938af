"""What a deployment says about the task types: `settings.DISTTASK`, read in this one place.

Executors get a frozen options object; without one they take the settings'. Tests pass their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.conf import settings

MIB: Final = 1024 * 1024
DEFAULT_PORTS: Final = {"mysql": 3306, "postgres": 5432}
_ENGINES: Final = {"sqlite3": "sqlite", "mysql": "mysql", "postgresql": "postgres"}


Place = tuple[str, str, int, str]  # a database: vendor, host, port, name


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """Of http, and of rpc's http-json form."""

    client: str = "aiohttp"  # or requests
    allow_networks: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    connect_timeout: float = 5.0
    read_timeout: float = 0.0  # longest silence within an answer; 0: as long as the task has time
    max_response_bytes: int = MIB  # stored of a response; the rest is cut
    max_ratio: int = 100  # of an unpacked body to what came; more is a bomb
    max_request_bytes: int = 8 * MIB
    tls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # name -> {ca_file, cert_file, key_file}
    setting: str = "http"  # the section that messages name


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcOptions:
    """`services`: name -> {protocol, target | targets | url, service?, tls?, ca_file?, field_names?}."""

    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    allow_networks: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    connect_timeout: float = 5.0
    max_message_bytes: int = 4 * MIB
    max_response_bytes: int = MIB
    descriptor_seconds: float = 300.0  # how long descriptors of a target are believed
    http_client: str = "aiohttp"

    def http(self) -> HttpOptions:
        """The same rule for the http-json form."""
        return HttpOptions(
            client=self.http_client,
            allow_networks=self.allow_networks,
            allow_hosts=self.allow_hosts,
            connect_timeout=self.connect_timeout,
            max_response_bytes=self.max_response_bytes,
            setting="rpc",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DbOptions:
    """`connections`: name -> {url | engine..., tables, max_rows?, statement_timeout?}.

    `home` is where relative SQLite files lie. `engine_databases` are our own databases by (vendor, host, port, name),
    `engine_tables` the tables in them that no task may touch.
    """

    connections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    home: str = ""
    engine_databases: frozenset[Place] = frozenset()
    engine_tables: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class MqOptions:
    backend: str = "local"


def _setting(key: str, default: Any) -> Any:
    value = getattr(settings, "DISTTASK", {}).get(key)
    return default if value is None else value


def database_place(vendor: str, host: str, port: int, name: str) -> Place:
    """A database's identity, so that two spellings of one are equal."""
    if vendor == "sqlite":
        return vendor, "", 0, str(Path(name).resolve())
    host = host.lower()
    if host in {"", "localhost", "::1"}:
        host = "127.0.0.1"
    return vendor, host, port or DEFAULT_PORTS.get(vendor, 0), name


def http_options() -> HttpOptions:
    return HttpOptions(
        client=str(_setting("HTTP_CLIENT", "aiohttp")),
        allow_networks=tuple(_setting("HTTP_ALLOW_NETWORKS", ())),
        allow_hosts=tuple(_setting("HTTP_ALLOW_HOSTS", ())),
        connect_timeout=float(_setting("HTTP_CONNECT_TIMEOUT", 5.0)),
        read_timeout=float(_setting("HTTP_READ_TIMEOUT", 0.0)),
        tls=_setting("HTTP_TLS", {}),
        max_response_bytes=int(_setting("HTTP_MAX_RESPONSE_BYTES", MIB)),
    )


def rpc_options() -> RpcOptions:
    return RpcOptions(
        services=_setting("RPC_SERVICES", {}),
        allow_networks=tuple(_setting("RPC_ALLOW_NETWORKS", ())),
        allow_hosts=tuple(_setting("RPC_ALLOW_HOSTS", ())),
        http_client=str(_setting("HTTP_CLIENT", "aiohttp")),
    )


def mq_options() -> MqOptions:
    return MqOptions(backend=str(_setting("MQ_BACKEND", "local")))


def db_options() -> DbOptions:
    """Our own databases are worked out here, so that a task can never reach the engine's tables."""
    from django.apps import apps  # noqa: PLC0415  models are loaded after this module

    places = set()
    for database in settings.DATABASES.values():
        vendor = _ENGINES.get(str(database["ENGINE"]).rpartition(".")[2], "")
        place = (str(database.get("HOST") or ""), int(database.get("PORT") or 0), str(database.get("NAME") or ""))
        places.add(database_place(vendor, *place))
    return DbOptions(
        connections=_setting("DB_CONNECTIONS", {}),
        home=str(_setting("HOME", "")),
        engine_databases=frozenset(places),
        engine_tables=frozenset(model._meta.db_table.lower() for model in apps.get_models()),
    )
