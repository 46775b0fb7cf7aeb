"""Safe Exam Browser: Config Keys and files against real ones, request hashes, and the kit's own settings."""

import gzip
import plistlib
from pathlib import Path

import pytest

from kiosk.seb import read_seb, seb_file, settings_for
from kiosk.vault import password_opened, password_sealed
from server.errors import BadInput, GongyuanError, NotPermitted, Tampered
from server.protocol.seb import canonical_text, config_key, request_hash, sent_for

KEYS = {
    "unencrypted_mac_001.seb": "4fa9af8ec8759eb7c680752ef4ee5eaf1a860628608fccae2715d519849f9292",
    "unencrypted_win_223.seb": "2534e4e9f3188f9f9133bf7cf7b4c5d898292bbd7e8d0230f39d1176636a1431",
    "unencrypted_win_223_old.seb": "fc6f4ea5922717760f4d6d536c23b8d19bf20b52aa97940f5427a76e20f49026",
}


@pytest.mark.parametrize("name", KEYS)
def test_config_keys_of_real_files(shared: Path, name: str) -> None:
    """The Config Key of each real file is the one that Safe Exam Browser gives."""
    assert config_key(read_seb((shared / "data/seb" / name).read_bytes())) == KEYS[name]


def test_canonical_text_of_a_real_file(shared: Path) -> None:
    """The text that is hashed equals the known one byte for byte."""
    settings = read_seb((shared / "data/seb/unencrypted_mac_001.seb").read_bytes())
    known = (shared / "data/seb/JSON_unencrypted_mac_001.txt").read_text(encoding="utf-8").strip()
    assert canonical_text(settings) == known


def test_a_real_file_under_a_password(shared: Path) -> None:
    """The real file of Safe Exam Browser's server opens with its password, and with no other."""
    data = (shared / "data/seb/importTest_123.seb").read_bytes()
    assert len(read_seb(data, "123")) == 216
    with pytest.raises(Tampered, match="seb-password-wrong"):
        read_seb(data, "124")
    with pytest.raises(NotPermitted, match="seb-password-needed"):
        read_seb(data)


def test_every_real_plain_file_is_read(shared: Path) -> None:
    """Plain files of every form (bare, with a byte order mark) give settings with a start address."""
    for file in sorted((shared / "data/seb").glob("*un*encrypted*.seb")):
        assert "startURL" in read_seb(file.read_bytes()), file.name


def test_request_hash_is_of_the_address_without_fragment() -> None:
    """A hash counts for one address and one key, whatever the fragment, and for no other query."""
    key = "ab" * 32
    sent = request_hash("https://exam.lan:8443/exam#top", key)
    assert sent_for(sent.upper(), "https://exam.lan:8443/exam", ["cd" * 32, key])
    assert not sent_for(sent, "https://exam.lan:8443/exam?lang=en", [key])
    assert not sent_for(sent, "https://exam.lan:8443/exam", ["cd" * 32])
    assert not sent_for("", "https://exam.lan:8443/exam", [])


def test_the_kits_own_file_keeps_its_key() -> None:
    """The kit's settings have one Config Key, with and without a password, and another for another salt."""
    settings = settings_for("https://exam.lan:8443", b"authority", "leave", bytes(32))
    key = config_key(settings)
    for password in ("", "口令"):
        assert config_key(read_seb(seb_file(settings, password), password)) == key
    assert config_key(settings_for("https://exam.lan:8443", b"authority", "leave", b"\1" * 32)) != key
    assert settings["startURL"] == "https://exam.lan:8443/exam"
    with pytest.raises(BadInput, match="kit-address"):
        settings_for("http://exam.lan", b"", "", bytes(32))


def test_files_that_are_none_are_refused() -> None:
    """Rubbish, cut files, a changed byte and a packed bomb are refused in words."""
    whole = seb_file({"startURL": "https://exam.lan/"}, "word")
    sealed = bytearray(password_sealed(b"data", "word"))
    assert password_opened(bytes(sealed), "word") == b"data"
    sealed[40] ^= 1
    with pytest.raises(Tampered):
        password_opened(bytes(sealed), "word")
    bomb = gzip.compress(b"plnd" + gzip.compress(bytes(64 << 20)))
    for data in (b"", b"nonsense", whole[:-9], bomb, gzip.compress(b"plnd" + plistlib.dumps([1]))):
        with pytest.raises(GongyuanError):
            read_seb(data, "word")
