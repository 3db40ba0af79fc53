"""The settings of `amends serve` and `amends watch`: a file, the environment above it, and options above both.

docs/serve.md has a row for each, held to this file by a test.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, get_args

import msgspec
from msgspec import Meta

from amends.alarms.settings import AlarmSettings
from amends.entrypoints.cli.logs import LogForm
from amends.errors import UnusableInput

NAMED_OTHERWISE: Final = {"serve.db": "AMENDS_DB", "serve.keys": "AMENDS_KEYS"}
"""Those of other commands as well."""


class ServeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is served, and where."""

    code: Annotated[str, Meta(description="The definitions, as `CODE` of the command.")] = ""
    db: Annotated[str, Meta(description="The store: a file, or `postgresql://...`.")] = ""
    host: Annotated[str, Meta(min_length=1, description="The address that it listens at.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="The port; 0 for any that is free.")] = 8000
    engine: Annotated[
        bool | None, Meta(description="Whether it runs an engine; by default on a file that no engine has.")
    ] = None
    webhooks: Annotated[
        dict[str, str], Meta(description="By service, the file of the secret with which it signs its answers.")
    ] = {}
    keys: Annotated[
        str, Meta(description="The file of access keys; by default beside a store in a file, as `.keys`.")
    ] = ""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings."""

    log: Annotated[LogForm, Meta(description="How the log is written: `text`, or `json`.")] = "text"
    serve: ServeSettings = ServeSettings()
    alarms: AlarmSettings = AlarmSettings()


class DocumentedSetting(NamedTuple):
    """One setting.

    Attributes:
        name: in a file, with its section: ``alarms.every_s``.
        variable: of the environment.
        type: of its value.
        default: of it.
        description: what it is, in words.
    """

    name: str
    variable: str
    type: Any
    default: Any
    description: str


def every_setting(kind: type[msgspec.Struct] = Settings, section: str = "") -> Iterator[DocumentedSetting]:
    """Each of them, in order."""
    for field in msgspec.structs.fields(kind):
        name = f"{section}{field.name}"
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from every_setting(field.type, f"{field.name}.")
        else:
            of, meta = get_args(field.type)
            variable = NAMED_OTHERWISE.get(name, f"AMENDS_{name.replace('.', '_').upper()}")
            default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
            yield DocumentedSetting(name, variable, of, default, meta.description)


def settings_from(file: str, options: Mapping[str, Any]) -> Settings:
    """The settings of this process; see `settings_of`."""
    return settings_of(file, os.environ, options)


def settings_of(file: str, environment: Mapping[str, str], options: Mapping[str, Any]) -> Settings:
    """The settings that hold.

    Args:
        file: the path of a TOML file; empty for none.
        environment: of the process.
        options: of the command line, by name; ``None`` for one that was not given.

    Raises:
        UnusableInput: the file cannot be read, or a value is not what it has to be; it is named, with where it stands.
    """
    found = _read(file) if file else {}
    _expect(found, file)
    for setting in every_setting():
        if (text := environment.get(setting.variable)) not in (None, ""):
            _put(found, setting.name, _value_of(setting, str(text)))
            _expect(found, setting.variable)
    for name, value in options.items():
        if value not in (None, ""):
            _put(found, name, value)
    return _expect(found, "the command line")


def _read(file: str) -> dict[str, Any]:
    try:
        with Path(file).open("rb") as opened:
            return tomllib.load(opened)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UnusableInput(f"the settings in {file} cannot be read: {why}") from error


def _value_of(setting: DocumentedSetting, text: str) -> Any:
    """The value that a variable of the environment has: text as it is, all else as TOML writes it."""
    if setting.type is str or isinstance(setting.default, str):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise UnusableInput(
            f"{setting.variable} is {text!r:.100}; write it as TOML does: 15, true, or ['one', 'two']"
        ) from error


def _put(found: dict[str, Any], name: str, value: Any) -> None:
    section, _, key = name.rpartition(".")
    (found.setdefault(section, {}) if section else found)[key] = value


def _expect(found: dict[str, Any], where: str) -> Settings:
    try:
        return msgspec.convert(found, Settings)
    except msgspec.ValidationError as error:
        raise UnusableInput(f"the settings, as {where} has them: {error}") from error
