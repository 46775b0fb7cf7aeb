"""`gongyuan kiosk` on a centre's data folder: the kit and the keys that count."""

import json
from pathlib import Path

import pytest

from kiosk.__main__ import main as machine
from server.cli.main import main
from server.keys.authority import ensure_tls


def test_a_kit_is_made_and_its_key_counts_until_withdrawn(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kit's Config Key is on the centre's list from then on, Browser Exam Keys are added, keys are withdrawn, and
    an address that the certificate does not name is refused."""
    config = tmp_path / "centre.toml"
    config.write_text('role = "centre"\ndata = "data"\nname = "考点"\n', encoding="utf-8")
    kit = ["kiosk", "kit", "--config", str(config), "--out", str(tmp_path / "kit"), "--passwords-stdin"]
    assert main(kit) == 1
    assert "请先启动一次服务" in capfd.readouterr().err
    tls = ensure_tls(tmp_path / "data" / "tls", ("localhost", "127.0.0.1"))
    assert main([*kit, "--address", "https://foreign.lan:8443"]) == 1
    with (tmp_path / "passwords").open("w+", encoding="utf-8") as words:
        words.write("open\nleave\n")
        words.seek(0)
        monkeypatch.setattr("sys.stdin", words)
        assert main(kit) == 0
    key = (tmp_path / "kit" / "config-key.txt").read_text(encoding="ascii").strip()
    assert main(["kiosk", "allow", "ab" * 32, "--note", "SEB", "--config", str(config)]) == 0
    capfd.readouterr()
    assert main(["kiosk", "keys", "--config", str(config)]) == 0
    assert capfd.readouterr().out.splitlines() == [f"config {key}", f"browser {'ab' * 32}"]
    assert main(["kiosk", "withdraw", key, "--config", str(config)]) == 0
    assert main(["kiosk", "withdraw", key, "--config", str(config)]) == 1
    capfd.readouterr()
    settings = tmp_path / "kit" / "kiosk.toml"
    assert machine(["doctor", "--json", "--config", str(settings)]) == 1
    assert {"kiosk-server-lost", "kiosk-policy-missing"} <= set(json.loads(capfd.readouterr().out)["faults"])
    assert tls.spki in settings.read_text(encoding="utf-8")
