"""The configuration as it stands: every key with its value and the source that decided it.

Environment, then secret file, then the TOML file named by DISTTASK_CONFIG (else configs/app.toml), then
`app.toml` in [app] home (`make run` keeps its profile there, so that `manage.py` acts under the same one),
then the profile's default, then the key's own.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disttask_project.config.keys import KEYS, PROFILES, TABLES, Key
from disttask_project.config.sources import (
    TABLE_VARIABLES,
    Fault,
    TomlFile,
    from_environment,
    read_toml,
    unknown_in_environment,
    unknown_in_toml,
)
from disttask_project.config.values import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key as decided; `name` is set in a table of named entries."""

    key: Key
    value: Any
    source: str
    name: str = ""

    @property
    def label(self) -> str:
        return f"[{self.key.section}.{self.name}] {self.key.name}" if self.name else self.key.label

    @property
    def variable(self) -> str:
        """The environment variable that would decide it."""
        return variable_of(self.key, self.name) if self.name else self.key.env


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    entries: Mapping[str, Entry]
    tables: Mapping[str, Mapping[str, Mapping[str, Entry]]]
    home: Path
    faults: tuple[Fault, ...]

    def __getitem__(self, setting: str) -> Any:
        return self.entries[setting].value

    def section(self, name: str) -> dict[str, Any]:
        """The values of one section by their names."""
        return {entry.key.name: entry.value for entry in self.entries.values() if entry.key.section == name}

    def given(self, setting: str) -> bool:
        """A deployer named it: it is not a default."""
        return not self.entries[setting].source.endswith("default")

    def as_settings(self) -> dict[str, Any]:
        """`settings.DISTTASK`: HTTP_ALLOW_NETWORKS, ENGINE_LEASE_SECONDS, ..., DB_CONNECTIONS, RPC_SERVICES.

        Without what Django has under names of its own (secret key, database).
        """
        values = {
            setting: entry.value
            for setting, entry in self.entries.items()
            if entry.key.section != "database" and setting != "SECRET_KEY"
        }
        for table, named in self.tables.items():
            values[table.replace(".", "_").upper()] = {
                name: {inner: entry.value for inner, entry in entries.items()} for name, entries in named.items()
            }
        return values

    def all_entries(self) -> Iterable[Entry]:
        yield from self.entries.values()
        for named in self.tables.values():
            for entries in named.values():
                yield from entries.values()


class _Reader:
    """Collects the sources once, then answers key by key and keeps every fault."""

    def __init__(self, environ: Mapping[str, str], base: Path) -> None:
        self.environ = environ
        self.base = base
        self.faults: list[Fault] = []
        self.files: list[TomlFile] = []
        self.profile = "production"
        self._add_file(*self._main_file())

    def _main_file(self) -> tuple[Path, str]:
        named = self.environ.get("DISTTASK_CONFIG")
        if named:
            return self.base / named, named
        return self.base / "configs" / "app.toml", "configs/app.toml"

    def _add_file(self, path: Path, label: str) -> None:
        # Only a file that was asked for has to exist.
        if not path.exists() and not self.environ.get("DISTTASK_CONFIG"):
            return
        file = read_toml(path, label=label, faults=self.faults)
        self.faults.extend(unknown_in_toml(file))
        self.files.append(file)

    def read(self) -> Configuration:
        home = self.base / self._entry(_find("app", "home")).value
        if (home / "app.toml").exists():
            self._add_file(home / "app.toml", str(home / "app.toml"))
        self.profile = self._entry(_find("app", "profile")).value
        self.faults.extend(unknown_in_environment(self.environ))
        entries = {key.setting: self._entry(key) for key in KEYS}
        entries["SECRET_KEY"] = _secret_key(entries, home)
        tables = {table: self._table(table, keys) for table, keys in TABLES.items()}
        # The two keys read first are read again with the rest: their faults would stand twice.
        faults = tuple(dict.fromkeys(self.faults))
        return Configuration(entries=entries, tables=tables, home=home, faults=faults)

    def _entry(self, key: Key) -> Entry:
        found = from_environment(key, key.env, self.environ, self.faults) or self._from_toml(key, key.section)
        if found:
            raw, source = found
            return self._parsed(key, raw, source)
        defaults = PROFILES[self.profile]
        if (key.section, key.name) in defaults:
            return Entry(key=key, value=defaults[key.section, key.name], source=f"{self.profile} profile's default")
        return Entry(key=key, value=key.default, source="default")

    def _from_toml(self, key: Key, section: str, *, entry: str = "") -> tuple[Any, str] | None:
        for file in self.files:
            value = file.find(section, key.name, entry=entry)
            if value is not None:
                return value, f"{file.label} [{section}{entry and f'.{entry}'}] {key.name}"
        return None

    def _parsed(self, key: Key, raw: Any, source: str, name: str = "") -> Entry:
        try:
            return Entry(key=key, value=parse(key, raw), source=source, name=name)
        except ValueError as error:
            shown = "" if key.secret else f" {str(raw)[:60]!r}"
            label = f"[{key.section}.{name}] {key.name}" if name else key.label
            self.faults.append(
                Fault(
                    id="E001",
                    message=f"{label}: wrong value{shown} from {source}: {error}.",
                    mend=f"{key.help} Default: {key.default!r}.",
                )
            )
            return Entry(key=key, value=key.default, source="default", name=name)

    def _table(self, table: str, keys: tuple[Key, ...]) -> dict[str, dict[str, Entry]]:
        names = dict.fromkeys(name for file in self.files for name in self._names_in(file, table))
        for variable in self.environ:
            name = _name_in_variable(variable, table, keys)
            if name and name not in {_as_variable(known) for known in names}:
                names[name.lower()] = None
        return {name: {key.name: self._named_entry(table, name, key) for key in keys} for name in names}

    @staticmethod
    def _names_in(file: TomlFile, table: str) -> list[str]:
        section, _, inner = table.rpartition(".")
        entries = file.find(section, inner)
        return (
            [name for name, values in entries.items() if isinstance(values, dict)] if isinstance(entries, dict) else []
        )

    def _named_entry(self, table: str, name: str, key: Key) -> Entry:
        found = from_environment(key, variable_of(key, name), self.environ, self.faults) or self._from_toml(
            key, table, entry=name
        )
        if found:
            raw, source = found
            return self._parsed(key, raw, source, name=name)
        return Entry(key=key, value=key.default, source="default", name=name)


def read_configuration(environ: Mapping[str, str], base: Path) -> Configuration:
    """Read all sources. Never raises for what a deployer wrote: see `faults`."""
    return _Reader(environ, base).read()


def _find(section: str, name: str) -> Key:
    return next(key for key in KEYS if (key.section, key.name) == (section, name))


def variable_of(key: Key, name: str) -> str:
    """DISTTASK_DB_CONNECTIONS_ORDERS_URL: the variable of a key in a table of named entries."""
    return f"{_prefix(key.section)}{_as_variable(name)}_{key.name.upper()}"


def _prefix(table: str) -> str:
    return next(prefix for prefix, known in TABLE_VARIABLES.items() if known == table)


def _as_variable(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def _name_in_variable(variable: str, table: str, keys: tuple[Key, ...]) -> str | None:
    """`ORDERS` of DISTTASK_DB_CONNECTIONS_ORDERS_URL; the longest key name that fits ends it."""
    if not variable.startswith(_prefix(table)):
        return None
    rest = variable.removeprefix(_prefix(table)).removesuffix("_FILE")
    for key in sorted(keys, key=lambda key: -len(key.name)):
        if rest.endswith(f"_{key.name.upper()}"):
            return rest[: -len(key.name) - 1]
    return None


def _secret_key(entries: Mapping[str, Entry], home: Path) -> Entry:
    """The key as named; else the one kept in the home folder; demo, test and debug make one at first use."""
    entry = entries["SECRET_KEY"]
    path = home / "secret_key"
    if entry.value:
        return entry
    if not path.exists() and (entries["PROFILE"].value != "production" or entries["DEBUG"].value):
        _write_once(path, secrets.token_urlsafe(64))
    if not path.exists():
        return entry
    return Entry(key=entry.key, value=path.read_text(encoding="utf-8").strip(), source=f"file {path}")


def _write_once(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.touch(mode=0o600)
    temporary.write_text(text, encoding="utf-8")
    try:
        # Two processes may start at once: the first one's file stays.
        path.hardlink_to(temporary)
    except FileExistsError:
        return
    finally:
        temporary.unlink()
