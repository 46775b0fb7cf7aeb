"""The clocks: the demo's shared line, and the guard between demo and real use."""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.cli.common import clock_from, settings_from
from server.clock import ClockFile, DemoClock, SystemClock, host_monotonic
from server.errors import BadInput
from server.settings import DEMO_MARKER

ORIGIN = datetime(2026, 3, 14, 0, 30, tzinfo=UTC)


def _line(path: Path, legal: datetime, rate: float, ago_s: float = 0.0) -> None:
    ClockFile(host_monotonic() - ago_s, legal, rate).save(path)


def test_legal_time_goes_at_the_files_rate(tmp_path: Path) -> None:
    """A line anchored ten seconds ago at rate 60 reads ten minutes later (within the time the test itself takes)."""
    _line(tmp_path / "clock.json", ORIGIN, 60.0, ago_s=10.0)
    passed = DemoClock(tmp_path / "clock.json").legal() - ORIGIN
    assert timedelta(minutes=10) <= passed < timedelta(minutes=70)


def test_two_clocks_of_one_file_agree(tmp_path: Path) -> None:
    """A process that opens the file later reads the same line as one that opened it before."""
    path = tmp_path / "clock.json"
    _line(path, ORIGIN, 0.0)
    first = DemoClock(path)
    assert first.legal() == DemoClock(path).legal() == ORIGIN


def test_the_system_clock_never_goes_faster() -> None:
    """Real use has rate 1 and an aware UTC time."""
    clock = SystemClock()
    assert clock.rate() == 1.0
    assert clock.legal().tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", "{}", '{"monotonic": 1}', '{"monotonic": "x", "legal": "?", "rate": 1}']
)
def test_an_unreadable_clock_file_is_named(text: str, tmp_path: Path) -> None:
    """A clock file that is not of the stated form raises BadInput with its path."""
    path = tmp_path / "clock.json"
    path.write_text(text)
    with pytest.raises(BadInput) as refused:
        DemoClock(path)
    assert refused.value.facts["path"] == str(path)


def _arguments(folder: Path, clock: Path | None) -> argparse.Namespace:
    config = folder / "centre.toml"
    config.write_text('role = "centre"\ndata = "data"\n')
    return argparse.Namespace(config=config, clock=clock)


def test_real_commands_refuse_a_folder_of_the_demo(tmp_path: Path) -> None:
    """A data folder that the demo marked is refused by every command that runs under the system clock."""
    (tmp_path / DEMO_MARKER).touch()
    with pytest.raises(BadInput) as refused:
        settings_from(_arguments(tmp_path, None))
    assert refused.value.code == "demo-folder-refused"


def test_the_accelerated_clock_refuses_a_real_folder(tmp_path: Path) -> None:
    """A clock file is refused for a data folder that the demo did not make."""
    _line(tmp_path / "clock.json", ORIGIN, 60.0)
    with pytest.raises(BadInput) as refused:
        settings_from(_arguments(tmp_path, tmp_path / "clock.json"))
    assert refused.value.code == "demo-folder-needed"


def test_the_demos_own_folder_takes_its_clock(tmp_path: Path) -> None:
    """In a marked folder the clock of a demo child is the file's."""
    (tmp_path / DEMO_MARKER).touch()
    _line(tmp_path / "clock.json", ORIGIN, 0.0)
    arguments = _arguments(tmp_path, tmp_path / "clock.json")
    assert settings_from(arguments).folder == tmp_path / "data"
    assert clock_from(arguments).legal() == ORIGIN


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    """A misspelt field of the settings file is refused with its name."""
    config = tmp_path / "centre.toml"
    config.write_text('role = "centre"\ndata = "data"\ncolour = "red"\n')
    with pytest.raises(BadInput) as refused:
        settings_from(argparse.Namespace(config=config, clock=None))
    assert "colour" in str(refused.value.facts["reason"])
