"""The machine's own rules: restarts, policies, the kit's folder, addresses, the check of input methods and policies."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from kiosk.doctor import input_method, policies
from kiosk.finding import Found, scanned, sheet_text
from kiosk.kit import KitOrder, make_kit
from kiosk.launcher import own_key
from kiosk.policies import flags_for, policies_for
from kiosk.restarts import BUDGET, MOST_S, over_budget, wait_before
from kiosk.seb import read_seb
from kiosk.settings import load_settings
from server.errors import BadInput
from server.keys.authority import ensure_tls
from server.protocol.seb import config_key

ADDRESS, PIN = "https://exam.lan:8443", "ab" * 32


def test_waits_double_up_to_a_bound_and_are_forgotten() -> None:
    """A browser that ends once is back in half a second; one that keeps ending waits 20 s at most, never for ever; ends
    of ten minutes ago do not count."""
    waits = [wait_before([float(i) for i in range(n)], 30.0) for n in range(1, 30)]
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(waits) == waits[-1] == MOST_S
    assert wait_before([0.0, 1.0, 2.0, 900.0], 900.0) == 0.5
    assert not over_budget([1.0] * BUDGET, 2.0)
    assert over_budget([1.0] * (BUDGET + 1), 2.0)


def test_the_browser_reaches_the_centre_and_nothing_else() -> None:
    """Every address is blocked but the centre's; developer tools, private windows and deletion are off; the centre's
    authority is trusted."""
    made = policies_for(ADDRESS, b"der")
    assert made["URLBlocklist"] == ["*", "chrome://*", "file://*"]
    assert made["URLAllowlist"] == [ADDRESS, f"blob:{ADDRESS}/*"]
    assert made["DeveloperToolsAvailability"] == 2
    assert made["IncognitoModeAvailability"] == 1
    assert made["AllowDeletingBrowserHistory"] is False
    assert made["CACertificates"] == [base64.b64encode(b"der").decode()]
    assert not any("ClearBrowsingData" in name for name in made)
    flag = f"--ignore-certificate-errors-spki-list={base64.b64encode(bytes.fromhex(PIN)).decode()}"
    flags = flags_for(PIN, "/profile")
    assert flag in flags
    assert not any("remote-debugging" in one or "no-sandbox" in one for one in flags)
    with pytest.raises(BadInput):
        policies_for("http://exam.lan", b"")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (f" {ADDRESS}/exam#pin={PIN.upper()}\n", Found(ADDRESS, PIN)),
        ("exam.lan:8443", Found(ADDRESS)),
        ("https://10.0.0.5", Found("https://10.0.0.5:443")),
        ("https://[fd00::1]:8443/exam", Found("https://[fd00::1]:8443")),
        (sheet_text(ADDRESS, PIN), Found(ADDRESS, PIN)),
    ],
)
def test_addresses_as_typed_or_scanned(typed: str, found: Found) -> None:
    """An address with or without scheme, path and pin is read as one form."""
    assert scanned(typed) == found


@pytest.mark.parametrize("typed", ["", "http://exam.lan", "https://exam.lan:99999", f"https://e/#pin={PIN}0"])
def test_addresses_that_are_none(typed: str) -> None:
    """Plain HTTP, no host, a port or a pin that cannot be are refused."""
    with pytest.raises(BadInput, match="kiosk-address-form"):
        scanned(typed)


def test_the_kit_is_whole_and_names_its_config_key(tmp_path: Path) -> None:
    """Every file of a kit is there and filled in, its scripts are sound shell, its Config Key is that of its .seb file,
    and a second kit does not go into the same folder."""
    tls = ensure_tls(tmp_path / "tls", ("exam.lan",))
    authority = tls.ca.read_text(encoding="ascii")
    order = KitOrder(
        name="测试\n考点",
        address=ADDRESS,
        pin=tls.spki,
        authority=authority,
        seb_password="open",
        quit_password="go",
    )
    made = make_kit(order, tmp_path / "kit")
    files = {name: (tmp_path / "kit" / name).read_bytes() for name in made.files}
    assert {"install.sh", "session.sh", "gongyuan-kiosk.service", "README.md", "address.svg"} <= set(files)
    assert not any(b"@NAME@" in data or b"@PIN@" in data or b"@ADDRESS@" in data for data in files.values())
    assert config_key(read_seb(files["gongyuan.seb"], "open")) == made.config_key
    settings = load_settings(tmp_path / "kit" / "kiosk.toml")
    assert (settings.server, settings.pin) == (ADDRESS, tls.spki)
    for script in ("install.sh", "session.sh"):
        assert subprocess.run(["bash", "-n", tmp_path / "kit" / script], check=False).returncode == 0
    with pytest.raises(BadInput, match="kit-exists"):
        make_kit(order, tmp_path / "kit")


def test_the_check_knows_input_methods_and_policies(tmp_path: Path) -> None:
    """An input method counts with its programme and its Chinese tables; policies count when they are the kit's own."""
    assert input_method(tmp_path) == ""
    for name in ("usr/bin/fcitx5", "usr/share/fcitx5/inputmethod/pinyin.conf"):
        assert input_method(tmp_path) == ""
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert input_method(tmp_path) == "fcitx5"
    path = tmp_path / "managed.json"
    assert policies(path, tmp_path).fault == "kiosk-policy-missing"
    path.write_text(json.dumps(policies_for(ADDRESS, b"der")), encoding="utf-8")
    assert policies(path, tmp_path).fault == "kiosk-policy-other"
    (tmp_path / "policies.json").write_bytes(path.read_bytes())
    assert policies(path, tmp_path).fault is None
    path.write_text(json.dumps(policies_for("https://other.lan:1", b"der")), encoding="utf-8")
    assert policies(path, tmp_path).fault == "kiosk-policy-other"


def test_a_power_cut_at_the_first_start_costs_no_machine(tmp_path: Path) -> None:
    """The launcher's key is the same at every start; an empty file, and a half-made one beside it, are made anew."""
    folder = tmp_path / "kiosk"
    folder.mkdir()
    (folder / "launcher.key").touch()
    (folder / "launcher.key.new").write_bytes(b"half")
    first = own_key(folder)
    assert own_key(folder).public == first.public
    assert [path.name for path in folder.iterdir()] == ["launcher.key"]
    assert (folder / "launcher.key").stat().st_mode & 0o777 == 0o600
