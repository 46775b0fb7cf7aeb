"""The command groups accounts and keys, as a person at the server's terminal runs them."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from server.cli.main import main

PASSPHRASES = "chen:first long passphrase\nsun:second long passphrase\n"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of a centre that was never started."""
    path = tmp_path / "centre.toml"
    path.write_text('role = "centre"\ndata = "data"\n', encoding="utf-8")
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command in this process: (settings, words…, given=standard input) to (status, output, errors)."""
    # The commands forbid the reading of their process's memory; this process goes on with other tests.
    monkeypatch.setattr("server.cli.keys.harden", lambda: None)
    monkeypatch.setattr("server.cli.custody.harden", lambda: None)

    def running(config: Path, *words: str, given: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        status = main([*words, "--config", str(config)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return running


def test_the_first_administrator_is_made_at_the_terminal_once(config: Path, run: Run) -> None:
    """The first administrator is made with a password from standard input, and a second first one is refused in both
    languages with status 1."""
    status, said, _ = run(
        config, "accounts", "create-administrator", "root", "--password-stdin", given="a good password\n"
    )
    assert (status, said) == (0, "root: administrator\n")
    status, _, refused = run(
        config, "accounts", "create-administrator", "other", "--password-stdin", given="a good password\n"
    )
    assert status == 1
    assert "已经有管理员" in refused
    assert "There is an administrator already." in refused
    status, listed, _ = run(config, "accounts", "list")
    assert listed.split("\t")[:3] == ["root", "root", "administrator"]


def test_a_weak_password_makes_no_account(config: Path, run: Run) -> None:
    """A password of nine characters is refused and nothing is made."""
    status, _, refused = run(
        config, "accounts", "create-administrator", "root", "--password-stdin", given="abcdefghi\n"
    )
    assert status == 1
    assert "10" in refused
    assert run(config, "accounts", "list")[1] == ""


def test_the_ceremony_at_the_terminal_makes_custodians_and_a_bank_key(config: Path, run: Run) -> None:
    """The ceremony makes custodians and a key, says no secret, and a second one for custodians is refused."""
    words = ("keys", "ceremony", "--custodian", "chen=陈", "--custodian", "sun=孙", "--passphrases-stdin")
    status, said, _ = run(config, *words, "--bank", "bank-1", given=PASSPHRASES)
    assert status == 0
    assert "first long" not in said
    _, listed, _ = run(config, "keys", "list")
    assert "custodian\tchen\t陈\n" in listed
    assert "key\tbank\tbank-1\tgeneration 1\t2 shares" in listed
    assert "opening\tceremony\tbank-1\tdone\tchen sun" in listed
    status, _, refused = run(config, *words, given=PASSPHRASES)
    assert (status, "The custodians exist already." in refused) == (1, True)
    assert run(config, "keys", "ceremony", "--bank", "bank-2")[0] == 0


def test_custody_goes_on_at_the_terminal(config: Path, run: Run) -> None:
    """At the terminal chen retires for xu, a drill passes, a rotation wraps anew and sun's new passphrase opens; a
    change that leaves one custodian is refused before any passphrase is read, and no secret is said."""
    words = ("keys", "ceremony", "--custodian", "chen=陈", "--custodian", "sun=孙", "--passphrases-stdin")
    assert run(config, *words, "--bank", "bank-1", "--rehearsal", given=PASSPHRASES)[0] == 0
    stdin = "--passphrases-stdin"
    status, _, refused = run(config, "keys", "change", "--retire", "chen", stdin, given="no line")
    assert (status, "只剩 1 名保密员" in refused) == (1, True)
    given = f"{PASSPHRASES}+xu:third long passphrase\n"
    status, said, _ = run(config, "keys", "change", "--add", "xu=许", "--retire", "chen", stdin, given=given)
    assert (status, said) == (0, "custodians: 2\nkeys: 1\n")
    status, _, refused = run(config, "keys", "drill", stdin, given=PASSPHRASES)
    assert (status, "没有名为 chen 的保密员" in refused) == (1, True)
    new = "sun:second long passphrase\n+sun:fourth long passphrase\n"
    assert run(config, "keys", "passphrase", "sun", stdin, given=new)[0] == 0
    two = "sun:fourth long passphrase\nxu:third long passphrase\n"
    assert run(config, "keys", "rotate", stdin, given=two)[:2] == (0, "custodians: 2\nkeys: 1\n")
    assert run(config, "keys", "drill", stdin, given=two)[:2] == (0, "keys: 1\n")
    _, listed, _ = run(config, "keys", "list")
    assert "former\tchen\t陈\tretired\n" in listed
    assert "2 shares\t" in listed and "\trehearsal\twrapping 3\tin force" in listed
    assert "opening\tcustody\t+xu -chen\tdone\tchen sun" in listed
    assert "opening\tdrill\t\tfailed" in listed and "opening\tcustody\trotate\tdone\tsun xu" in listed


def test_one_custodian_alone_is_no_ceremony(config: Path, run: Run) -> None:
    """A ceremony with one custodian is refused with status 1."""
    status, _, refused = run(
        config, "keys", "ceremony", "--custodian", "chen", "--passphrases-stdin", given=PASSPHRASES
    )
    assert status == 1
    assert "2" in refused


def test_the_identity_can_be_carried_to_a_new_machine(config: Path, tmp_path: Path, run: Run) -> None:
    """An exported identity restored into an empty folder has the same fingerprint."""
    bundle = tmp_path / "recovery.json"
    passphrase = "a long recovery passphrase\n"
    _, fingerprint, _ = run(config, "keys", "fingerprint")
    assert run(config, "keys", "export", str(bundle), "--passphrase-stdin", given=passphrase)[0] == 0
    new = tmp_path / "new.toml"
    new.write_text('role = "centre"\ndata = "new"\n', encoding="utf-8")
    assert run(new, "keys", "restore", str(bundle), "--passphrase-stdin", given=passphrase) == (
        0,
        fingerprint,
        "",
    )
    assert run(new, "keys", "fingerprint")[1] == fingerprint
