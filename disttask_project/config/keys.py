"""The table of configuration keys: the one place that says what may be configured.

`showconfig`, `check` and `configs/app.toml` derive from it; to add a key, add a row and run
`manage.py showconfig --example > configs/app.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

Kind = Literal["text", "integer", "number", "boolean", "list", "networks", "choice"]

PREFIX: Final = "DISTTASK_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """`[section] name` of the TOML file; `default` stands when no source names it."""

    section: str
    name: str
    kind: Kind
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    secret: bool = False

    @property
    def env(self) -> str:
        """The environment variable: the keys of [app] go without their section's name."""
        section = "" if self.section == "app" else f"{self.section}_"
        return f"{PREFIX}{section}{self.name}".upper()

    @property
    def setting(self) -> str:
        """Its name in `settings.DISTTASK`."""
        return self.env.removeprefix(PREFIX)

    @property
    def label(self) -> str:
        return f"[{self.section}] {self.name}"


def _key(name: str, kind: Kind, default: Any, help: str, **more: Any) -> Key:  # noqa: A002
    return Key(section="", name=name, kind=kind, default=default, help=help, **more)


def _section(section: str, *keys: Key) -> tuple[Key, ...]:
    return tuple(replace(key, section=section) for key in keys)


LOOPBACK_HOSTS: Final = ["localhost", "127.0.0.1", "[::1]"]
PORT: Final = {"minimum": 0, "maximum": 65535}

KEYS: Final[tuple[Key, ...]] = (
    *_section(
        "app",
        _key("app_name", "text", "disttask", "Name of this installation: page titles, queue prefix."),
        _key("host", "text", "127.0.0.1", "Address the web server binds to."),
        _key("port", "integer", 8080, "Port of the web server.", minimum=1, maximum=65535),
        _key("time_zone", "text", "UTC", "IANA zone of the console and of dates in expressions."),
        _key(
            "language",
            "choice",
            "en",
            "Where a browser names none: en or zh-hans.",
            choices=("en", "zh-hans"),
        ),
        _key("environment", "text", "", "Badge in the console's header, such as dev, staging or prod."),
        _key("home", "text", "var", "Folder of the embedded database, generated secrets and static files."),
        _key(
            "profile",
            "choice",
            "production",
            "production is strict; demo allows loopback targets and makes its secret; test is for test runs.",
            choices=("production", "demo", "test"),
        ),
        _key("debug", "boolean", False, "Django's debug pages. Never on an address others can reach."),
        _key("secret_key", "text", "", "Signs sessions and tokens: 50 random characters or more.", secret=True),
        _key("allowed_hosts", "list", LOOPBACK_HOSTS, "Host names under which the service is visited."),
    ),
    *_section(
        "security",
        _key("https", "boolean", True, "Secure cookies, redirection to https (off in demo and debug)."),
        _key("hsts_seconds", "integer", 31536000, "How long browsers remember https only.", minimum=0),
        _key("trust_proxy", "boolean", False, "Believe X-Forwarded-Proto and -For; only behind a proxy."),
        _key("csrf_trusted_origins", "list", [], "Origins behind a proxy: https://ops.example.com."),
        _key("session_hours", "number", 12, "Length of a console session.", minimum=0.1),
        _key("token_days", "integer", 90, "Life of an API token unless createtoken says otherwise.", minimum=1),
        _key("secrets_key", "text", "", "Seals the stored secrets; [app] secret_key where empty.", secret=True),
        _key("old_secrets_keys", "list", [], "Former ones, until `secret reseal` has been run.", secret=True),
    ),
    *_section(
        "database",
        _key("url", "text", "", "The rest in one: mysql://user:password@host:3306/name.", secret=True),
        _key(
            "engine",
            "choice",
            "mysql",
            "Kind of server, where host or name is set; without either the store is SQLite in [app] home.",
            choices=("mysql", "postgres", "mongodb", "sqlite"),
        ),
        _key("host", "text", "", "Address of the database server."),
        _key("port", "integer", 0, "Its port; 0 is the engine's usual one.", **PORT),
        _key("username", "text", "", "User."),
        _key("password", "text", "", "Password; better in DISTTASK_DATABASE_PASSWORD_FILE.", secret=True),
        _key("name", "text", "", "Database; disttask where only a host is set."),
        _key("conn_max_age", "integer", 600, "Seconds a connection is kept, with health checks.", minimum=1),
    ),
    *_section(
        "broker",
        _key("url", "text", "orm", "Wake-ups travel by orm (our database) or redis://host:6379/0.", secret=True),
    ),
    *_section(
        "engine",
        _key("lease_seconds", "number", 30, "How long a claim lasts unless renewed.", minimum=1),
        _key("max_task_timeout", "number", 600, "Longest timeout_seconds a task may ask for.", minimum=1),
        _key("workers", "integer", 2, "django-q2 workers of one runcluster; one stays free.", minimum=2),
    ),
    *_section(
        "limits",
        _key("max_backlog", "integer", 1_000_000, "Unfinished transactions of one flow; 0: no limit.", minimum=0),
        _key("retry_after", "number", 5, "Seconds that a start refused for it is told to wait.", minimum=1),
    ),
    *_section(
        "breaker",
        _key("enabled", "boolean", True, "Open a target's breaker when its calls fail; by hand it opens anyhow."),
        _key("error_rate", "number", 0.5, "Share of failed calls that opens it.", minimum=0.01, maximum=1),
        _key("min_calls", "integer", 20, "... once so many calls have ended within the window.", minimum=1),
        _key("window_seconds", "number", 60, "How far back calls count.", minimum=5, maximum=3600),
        _key("open_seconds", "number", 30, "First pause until it probes; doubled each time a probe fails.", minimum=1),
        _key("open_most_seconds", "number", 300, "Longest pause.", minimum=1),
        _key(
            "probes", "integer", 3, "Calls a driver sends at a time to find out; so many good ones close it.", minimum=1
        ),
        _key("ramp_seconds", "number", 30, "How long a closed one takes back to full load.", minimum=0),
    ),
    *_section(
        "retry",
        _key("default_max_attempts", "integer", 3, "Retries after the first try, by default.", minimum=0),
        _key("default_interval", "number", 5, "Seconds before the first retry, by default.", minimum=0),
    ),
    *_section(
        "http",
        _key(
            "client",
            "choice",
            "aiohttp",
            "The library that sends: aiohttp, or requests on threads, slower, under the same rules.",
            choices=("aiohttp", "requests"),
        ),
        _key("allow_networks", "networks", [], "Private networks the http executor may call: 10.0.0.0/8."),
        _key("allow_hosts", "list", [], "Host names it may call whatever they resolve to."),
        _key("connect_timeout", "number", 5, "Seconds for a connection, within the task's timeout.", minimum=0.1),
        _key("read_timeout", "number", 0, "Longest silence within an answer; 0: the task's timeout.", minimum=0),
        _key("max_response_bytes", "integer", 1024 * 1024, "Kept of a response; the rest is cut.", minimum=1024),
    ),
    *_section(
        "rpc",
        _key("allow_networks", "networks", [], "Private networks the rpc executor may call."),
        _key("allow_hosts", "list", [], "Host names it may call whatever they resolve to."),
    ),
    *_section(
        "api",
        _key("max_body_bytes", "integer", 16 * 1024 * 1024, "Largest request body.", minimum=1024),
        _key("requests_a_minute", "integer", 100_000, "Requests of one token or user; 0: no limit.", minimum=0),
    ),
    *_section(
        "mq",
        _key("backend", "choice", "local", "Where messages go.", choices=("local", "rocketmq4", "rocketmq5")),
    ),
    *_section(
        "rocketmq",
        _key("namesrv", "text", "", "Name server, host:port (rocketmq4)."),
        _key("endpoints", "text", "", "Proxy endpoints, host:port (rocketmq5)."),
        _key("producer_group", "text", "disttask-producer", "Producer group."),
        _key("consumer_group", "text", "disttask-consumer", "Consumer group."),
        _key("access_key", "text", "", "Access key, where the broker demands one.", secret=True),
        _key("secret_key", "text", "", "Its secret.", secret=True),
    ),
    *_section(
        "log",
        _key("level", "choice", "info", "Least level.", choices=("debug", "info", "warning", "error")),
        _key(
            "format",
            "choice",
            "auto",
            "auto: console in demo, else json.",
            choices=("auto", "json", "console"),
        ),
        _key("output", "text", "stderr", "stderr, stdout or the path of a file."),
        _key("redact", "list", [], "Further key names whose values are masked, beside the usual ones."),
    ),
)

# Tables under a name of the deployer's: [db.connections.orders], [http.tls.bank],
# [rpc.services.PaymentService].
TABLES: Final[dict[str, tuple[Key, ...]]] = {
    "limits.targets": _section(
        "limits.targets",
        _key("concurrency", "integer", 0, "Calls in flight at a time, over all drivers; 0: no limit.", minimum=0),
        _key("rate", "number", 0, "Calls begun a second, over all drivers; 0: no limit.", minimum=0),
    ),
    "db.connections": _section(
        "db.connections",
        _key("url", "text", "", "mysql://user:password@host:3306/name.", secret=True),
        _key("engine", "choice", "mysql", "Kind of server.", choices=("mysql", "postgres", "sqlite")),
        _key("host", "text", "", "Address."),
        _key("port", "integer", 0, "Port; 0 is the engine's usual one.", **PORT),
        _key("username", "text", "", "User."),
        _key("password", "text", "", "Password.", secret=True),
        _key("name", "text", "", "Database, or the file of an SQLite one."),
        _key("tables", "list", [], "The only tables that tasks may touch."),
        _key("max_rows", "integer", 1000, "Most rows one task may change or read.", minimum=1),
        _key("max_affected", "integer", 1000, "Most rows one update or delete may change.", minimum=1),
        _key("statement_timeout", "number", 30, "Seconds the server gives one statement.", minimum=0.1),
        _key("connect_timeout", "number", 5, "Seconds for a connection.", minimum=0.1),
        _key("create_barrier", "boolean", True, "Make the barrier table on first use."),
    ),
    "http.tls": _section(
        "http.tls",
        _key("ca_file", "text", "", "Certificates to trust instead of the system's, or ${secret:NAME}."),
        _key("cert_file", "text", "", "Certificate of ours with its chain (PEM), or ${secret:NAME}."),
        _key("key_file", "text", "", "Its key (PEM), or ${secret:NAME}."),
    ),
    "rpc.services": _section(
        "rpc.services",
        _key("protocol", "choice", "grpc", "How it is spoken to.", choices=("grpc", "http-json")),
        _key("target", "text", "", "host:port."),
        _key("url", "text", "", "Address of an http-json service; http://{target}/rpc by default."),
        _key("service", "text", "", "Full name package.Service, where the section's name is another."),
        _key("targets", "list", [], "Several of them."),
        _key(
            "balance",
            "choice",
            "round_robin",
            "Which of them: in turn, or the first that is up.",
            choices=("round_robin", "failover"),
        ),
        _key("tls", "boolean", False, "Encrypt the connection."),
        _key("ca_file", "text", "", "Certificates to trust instead of the system's, or ${secret:NAME}."),
        _key("cert_file", "text", "", "Certificate of ours with its chain (PEM), or ${secret:NAME}."),
        _key("key_file", "text", "", "Its key (PEM), or ${secret:NAME}."),
        _key("server_name", "text", "", "Name in the service's certificate, where it is not the target's host."),
        _key(
            "field_names",
            "choice",
            "json",
            "Names in replies: lowerCamelCase or the proto's own.",
            choices=("json", "proto"),
        ),
    ),
}

# Defaults that a profile changes; every source still wins over them.
_LOCAL: Final[dict[tuple[str, str], Any]] = {
    ("security", "https"): False,
    ("security", "hsts_seconds"): 0,
    ("http", "allow_networks"): ["127.0.0.0/8", "::1/128"],
    ("rpc", "allow_networks"): ["127.0.0.0/8", "::1/128"],
}
PROFILES: Final[dict[str, dict[tuple[str, str], Any]]] = {
    "production": {},
    "demo": {**_LOCAL, ("app", "environment"): "demo", ("engine", "lease_seconds"): 5},
    "test": _LOCAL,
}

# Variables of ours that are no keys: read where they are needed, not to be taken for misspelt ones.
OTHER_VARIABLES: Final = frozenset(
    {
        "DISTTASK_CONFIG",
        "DISTTASK_ADMIN_PASSWORD",
        "DISTTASK_CI",
        "DISTTASK_CLUSTER",
        "DISTTASK_CLUSTER_PARENT",
        "DISTTASK_SERVICES",
    }
)
OTHER_PREFIXES: Final = tuple(f"{PREFIX}{word}_" for word in ("SECRET", "TEST", "BENCH", "CHAOS", "DEMO"))
