"""Settings: where a value comes from, and how a wrong one is refused."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from hlmonitor.runtime.settings import EXIT_WRONG_SETTINGS, Duration, ServiceSettings, load_settings


class PumpSettings(ServiceSettings):
    """Settings of a service that exists in this test alone."""

    nats_url: str = Field("nats://127.0.0.1:4222", description="NATS server")
    wells: int = Field(3, ge=1, description="how many")
    pause_s: Duration = Field(1.0, description="between strokes")
    mode: Literal["slow", "fast"] = Field("slow", description="how")
    source_url: str = Field("http://well", pattern="^http", description="where from")
    dry: bool = Field(default=False, description="pump nothing")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hlmon.toml"


def load(*flags: str) -> PumpSettings:
    return load_settings("pump", PumpSettings, flags)


def refusal(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        load(*flags)
    assert stopped.value.code == EXIT_WRONG_SETTINGS
    return capsys.readouterr().err


def test_defaults_hold_when_nothing_is_said() -> None:
    settings = load()
    assert (settings.wells, settings.pause_s, settings.mode, settings.dry) == (3, 1.0, "slow", False)
    assert settings.instance


def test_flag_beats_environment_beats_table_beats_shared_keys(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    file.write_text("wells = 10\n[pump]\n")
    assert load("--config", str(file)).wells == 10
    file.write_text("wells = 10\n[pump]\nwells = 11\n")
    assert load("--config", str(file)).wells == 11
    monkeypatch.setenv("HLMON_WELLS", "12")
    assert load("--config", str(file)).wells == 12
    assert load("--config", str(file), "--wells", "13").wells == 13
    assert load("--wells=14").wells == 14


def test_the_file_may_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    file.write_text("[pump]\nwells = 5\n")
    monkeypatch.setenv("HLMON_CONFIG", str(file))
    assert load().wells == 5


def test_keys_and_tables_for_other_services_are_not_this_services_business(file: Path) -> None:
    file.write_text('log_level = "debug"\ndatabase_url = "x"\n[crane]\nhooks = 2\n')
    assert load(f"--config={file}").log_level == "debug"


def test_unknown_key_in_the_services_own_table_is_refused(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    file.write_text("[pump]\nwels = 4\n")
    assert "wels" in refusal(capsys, "--config", str(file))


def test_unknown_flag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--wels" in refusal(capsys, "--wels", "4")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--wells", "none"), "wells (--wells, HLMON_WELLS): "),
        (("--wells", "0"), "wells (--wells, HLMON_WELLS): Input should be greater than or equal to 1; it was '0'"),
        (("--pause-s", "soon"), "pause_s (--pause-s, HLMON_PAUSE_S): "),
        (("--pause-s=-1",), "pause_s (--pause-s, HLMON_PAUSE_S): "),
        (("--mode", "furious"), "mode"),
        (("--health-port", "70000"), "health_port (--health-port, HLMON_HEALTH_PORT): "),
    ],
)
def test_wrong_value_is_refused_with_the_settings_names(
    capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], named: str
) -> None:
    said = refusal(capsys, *flags)
    assert named in said
    assert "Traceback" not in said


def test_a_password_in_a_wrong_value_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "--source-url", "ftp://me:secret@well/1")
    assert "ftp://***@well/1" in said
    assert "secret" not in said


def test_wrong_value_in_the_environment_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HLMON_WELLS", "many")
    assert "hlmon-pump: wells (--wells, HLMON_WELLS): " in refusal(capsys)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"wells = = 3", "cannot be used"),
        (b"pump = 3", "pump must be a table"),
        (b"wells = '\xff'", "cannot be used"),
        (b"[pump]\nwells = 'many'", "wells (--wells, HLMON_WELLS): "),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    capsys: pytest.CaptureFixture[str], file: Path, content: bytes, said: str
) -> None:
    file.write_bytes(content)
    assert said in refusal(capsys, "--config", str(file))


def test_a_missing_file_is_refused(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert str(file) in refusal(capsys, "--config", str(file))


def test_config_without_a_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--config" in refusal(capsys, "--config")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30), ("30", 30), ("1.5", 1.5), ("5m", 300), ("2h", 7200), ("8d", 691200), ("0", 0)],
)
def test_durations_are_numbers_of_seconds_or_have_a_unit(text: str, seconds: float) -> None:
    assert load("--pause-s", text).pause_s == seconds


def test_durations_in_a_file_may_be_numbers(file: Path) -> None:
    file.write_text("[pump]\npause_s = 0.5\n")
    assert load("--config", str(file)).pause_s == 0.5


@pytest.mark.parametrize(("flag", "dry"), [("--dry", True), ("--no-dry", False)])
def test_yes_and_no_are_flags_without_value(flag: str, *, dry: bool) -> None:
    assert load(flag).dry is dry


def test_help_describes_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        load("--help")
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    for field in PumpSettings.model_fields.values():
        assert (field.description or "?").split()[0] in said
