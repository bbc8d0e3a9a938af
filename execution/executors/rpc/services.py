"""Where a service is and how it is spoken to: `[rpc.services.<name>]`, a target in the config, or the seed's form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from disttask_project.kernel.messages import Message, text
from execution.executors.options import RpcOptions
from execution.executors.schema import unknown_key
from execution.executors.tls import Certificates

GRPC: Final = "grpc"
HTTP_JSON: Final = "http-json"
_KEYS: Final = (
    *("protocol", "target", "targets", "balance", "url", "service", "field_names"),
    *("tls", "ca_file", "cert_file", "key_file", "server_name"),
)
ROUND_ROBIN: Final = "round_robin"
FAILOVER: Final = "failover"
NO_CERTIFICATES: Final = Certificates()
# Names and addresses with a port; no scheme (unix:, dns://authority, xds:) gets through.
_TARGET: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]{1,253}):(?P<port>[0-9]{1,5})")


class BadService(ValueError):
    """A service cannot be reached as it is described; the message says what to mend."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """`name` is the full name of the gRPC service; `targets` are (host, port) of its instances."""

    name: str
    protocol: str
    targets: tuple[tuple[str, int], ...] = ()
    url: str = ""
    balance: str = ROUND_ROBIN
    tls: bool = False
    certificates: Certificates = NO_CERTIFICATES
    server_name: str = ""  # what its certificate is made out to, where that is not the target's host
    keeps_names: bool = False  # reply fields as in the .proto, not in lowerCamelCase


def find_service(name: str, *, target: str | None, protocol: str | None, options: RpcOptions) -> Service:
    """The service a config means. Raises `BadService`."""
    raw = options.services.get(name)
    if raw is not None:
        if target:
            raw = {**raw, "target": target, "targets": (), "url": ""}
        return read_service(name, raw if protocol is None else {**raw, "protocol": protocol})
    if target:
        return read_service(name, {"protocol": protocol or GRPC, "target": target})
    if protocol in {None, HTTP_JSON} and "." not in name and "/" not in name:
        return Service(name=name, protocol=HTTP_JSON, url=f"http://{name}/rpc")
    raise BadService(text("the service {name} is not known: give it a target, or add [rpc.services]", name=name))


def read_service(name: str, raw: Mapping[str, Any]) -> Service:
    """One entry of the configuration. Raises `BadService`."""
    unknown = [key for key in raw if key not in _KEYS]
    if unknown:
        raise BadService(unknown_key(unknown[0], _KEYS))
    protocol = raw.get("protocol") or GRPC
    if protocol not in {GRPC, HTTP_JSON}:
        raise BadService(text("the protocol must be grpc or http-json"))
    targets = tuple(map(read_target, [raw["target"]] if raw.get("target") else raw.get("targets") or ()))
    url = str(raw.get("url") or "")
    if protocol == HTTP_JSON:
        if any(raw.get(key) for key in ("ca_file", "cert_file", "key_file", "server_name")):
            raise BadService(text("certificates of its own are for grpc; use an http task with tls instead"))
        if not url and not targets:
            raise BadService(text("it needs a url or a target"))
        return Service(name=name, protocol=protocol, url=url or _url(targets[0], bool(raw.get("tls"))))
    if not targets:
        raise BadService(text("it needs a target: host:port"))
    balance = raw.get("balance") or ROUND_ROBIN
    if balance not in {ROUND_ROBIN, FAILOVER}:
        raise BadService(text("balance must be round_robin or failover"))
    certificates = Certificates.read(raw)
    if certificates.fault:
        raise BadService(text("a certificate needs its key, and a key its certificate"))
    if not raw.get("tls") and (certificates != NO_CERTIFICATES or raw.get("server_name")):
        raise BadService(text("certificates are for a connection with tls = true"))
    return Service(
        name=str(raw.get("service") or name),
        protocol=protocol,
        targets=targets,
        balance=balance,
        tls=bool(raw.get("tls")),
        certificates=certificates,
        server_name=str(raw.get("server_name") or ""),
        keeps_names=raw.get("field_names") == "proto",
    )


def read_target(target: Any) -> tuple[str, int]:
    """`host:port`. Raises `BadService`."""
    match = _TARGET.fullmatch(str(target))
    if match is None or not 0 < int(match["port"]) < 65_536:
        raise BadService(text("{target} is no host:port", target=repr(str(target)[:100])))
    return match["host"].strip("[]"), int(match["port"])


def _url(target: tuple[str, int], tls: bool) -> str:
    host, port = target
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}/rpc"
