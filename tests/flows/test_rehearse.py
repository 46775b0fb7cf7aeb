"""`gongyuan rehearse` as a person runs it: a scratch centre, real kiosks, a sheet."""

from datetime import UTC, datetime
from pathlib import Path

from server.cli.main import main
from server.clock import ClockFile, host_monotonic

QUICKNESS = ("bell to the last opened paper", "acknowledgement, 99 of 100")


def test_a_rehearsal_writes_its_sheet(tmp_path: Path) -> None:
    """Five kiosks are enrolled, opened, answer and are collected, nothing is lost, the sheet says each of it, and
    the centre's own data folder is never made."""
    (tmp_path / ".gongyuan-demo").touch()
    config, clock = tmp_path / "centre.toml", tmp_path / "clock.json"
    config.write_text('role = "centre"\ndata = "data"\nname = "第一考点"\n', encoding="utf-8")
    ClockFile(host_monotonic(), datetime(2026, 3, 14, 1, 0, tzinfo=UTC), 12.0).save(clock)
    folder = tmp_path / "rehearsal"
    words = ["rehearse", "--seats", "5", "--minutes", "2", "--items", "40"]
    status = main(
        ["demo-child", "--clock", str(clock), *words, "--folder", str(folder), "--config", str(config)]
    )
    sheet = (folder / "sheet.txt").read_text(encoding="utf-8")
    lines = [line.strip() for line in sheet.split("Rehearsal of the hall")[1].splitlines()]
    judged = [line for line in lines if line.startswith(("pass ", "FAIL "))]
    # How quick it was is this machine's affair; everything else must be right.
    wrong = [line for line in judged if line.startswith("FAIL") and not any(q in line for q in QUICKNESS)]
    assert (len(judged), wrong) == (11, [])
    assert (status == 0) == ("Verdict: passed" in sheet) == ("结论：通过" in sheet)
    assert "第一考点" in sheet and not (tmp_path / "data").exists()
