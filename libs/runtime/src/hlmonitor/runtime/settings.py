"""One way to configure a service: environment, file, flags; a wrong value stops the start with one clear sentence.

Precedence, strongest first: flags (`--nats-url …`), environment (`HLMON_NATS_URL`), the file named by `--config` or
`HLMON_CONFIG` (TOML: top-level keys for every service, a table named after a service for that one), defaults.
"""

import os
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

ENV_PREFIX = "HLMON_"
EXIT_WRONG_SETTINGS = 2

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_CREDENTIALS = re.compile(r"://[^@/\s]*@")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

S = TypeVar("S", bound="ServiceSettings")


def parse_duration(text: str) -> float | None:
    """The seconds of a text such as `250ms`, `30s`, `5m`, `2h`, `8d` or `30`; None when it is no duration."""
    match = _DURATION.fullmatch(text.strip())
    return float(match[1]) * _UNIT_S[match[2] or "s"] if match else None


def _seconds(value: object) -> object:
    if isinstance(value, str) and (seconds := parse_duration(value)) is not None:
        return seconds
    return value


Duration = Annotated[float, BeforeValidator(_seconds), Field(ge=0)]
"""Seconds as a number, or text with a unit: `250ms`, `30s`, `5m`, `2h`, `8d`."""


class ServiceSettings(BaseSettings):
    """What every service can be told."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        extra="forbid",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    instance: str = Field("", description="name of this process among its kind; default: host name and process id")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    log_format: Literal["console", "json"] = Field("console", description="log lines for people or for machines")
    health_host: str = Field("127.0.0.1", description="address of the health and metrics server")
    health_port: int = Field(0, ge=0, le=65535, description="its port; 0 takes a free one and logs it")
    drain_timeout_s: Duration = Field(20.0, description="how long SIGTERM may take before the process gives up")

    def model_post_init(self, _context: Any, /) -> None:  # noqa: ANN401 pydantic's signature
        """Name the process when nobody did."""
        if not self.instance:
            self.instance = f"{os.uname().nodename}-{os.getpid()}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 pydantic's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 not used: one way to name a file
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 Kubernetes hands secrets over as environment
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before file; the file's values arrive as keyword arguments."""
        return env_settings, init_settings


def without_credentials(text: str) -> str:
    """The text with the user and password of every URL in it masked, fit for a log."""
    return _CREDENTIALS.sub("://***@", text)


def load_settings(service: str, kind: type[S], argv: Sequence[str]) -> S:
    """Read a service's settings, or end the process with status 2 and a sentence that names what is wrong."""
    try:
        arguments, config = _take_config(argv)
    except SettingsError as error:
        _refuse(service, [str(error)])
    try:
        values = _file_values(service, kind, config)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, SettingsError) as error:
        _refuse(service, [f"the settings file {config} cannot be used: {error}"])
    flags: CliSettingsSource[Any] = CliSettingsSource(kind, cli_prog_name=f"hlmon-{service}", cli_parse_args=arguments)
    try:
        # The private argument is pydantic-settings' documented way to hand over a flags source.
        return kind(_cli_settings_source=flags, **values)
    except ValidationError as error:
        _refuse(service, [_sentence(item["loc"], item["msg"], item.get("input")) for item in error.errors()])
    except SettingsError as error:
        _refuse(service, [str(error)])


def _take_config(argv: Sequence[str]) -> tuple[list[str], str | None]:
    rest, config = [], os.environ.get(f"{ENV_PREFIX}CONFIG")
    pending = iter(argv)
    for argument in pending:
        if argument == "--config":
            config = next(pending, None)
            if config is None:
                raise SettingsError("--config needs the name of a file")
        elif argument.startswith("--config="):
            config = argument.partition("=")[2]
        else:
            rest.append(argument)
    return rest, config


def _file_values(service: str, kind: type[ServiceSettings], path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    document = tomllib.loads(Path(path).read_text())
    section = document.get(service, {})
    if not isinstance(section, dict):
        raise SettingsError(f"{service} must be a table")
    # Keys for all services may name a field that this one has not; a key in the service's own table must be known.
    shared = {key: value for key, value in document.items() if key in kind.model_fields}
    return shared | section


def _sentence(loc: tuple[int | str, ...], message: str, given: object) -> str:
    name = str(loc[0]) if loc else "settings"
    flag = name.replace("_", "-")
    shown = without_credentials(repr(given))
    return f"{name} (--{flag}, {ENV_PREFIX}{name.upper()}): {message}; it was {shown}"


def _refuse(service: str, problems: list[str]) -> NoReturn:
    for problem in problems:
        print(f"hlmon-{service}: {problem}", file=sys.stderr)  # noqa: T201 there is no log yet
    raise SystemExit(EXIT_WRONG_SETTINGS)


__all__ = ["ENV_PREFIX", "EXIT_WRONG_SETTINGS", "Duration", "ServiceSettings", "load_settings", "parse_duration"]
__all__ += ["without_credentials"]
