"""The commands of peers at a real data folder."""

import asyncio
import io
from pathlib import Path

import pytest

from server.accounts.roles import Role
from server.accounts.service import create_account
from server.cli.main import main
from server.keys.identity import Identity
from server.keys.passwords import HashedPassword, prepared_password
from server.packages.peers import register_peer
from tests.support.database import act_on, database

PASSWORD = "a long password 1"


def test_a_peer_is_revoked_by_two_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One person named twice revokes nothing; two with their passwords do, and the list then says revoked."""
    data = tmp_path / "data"
    config = tmp_path / "centre.toml"
    config.write_text(f'role = "centre"\nname = "c"\njurisdiction = "beijing"\ndata = "{data}"\n')

    async def known() -> str:
        async with database(f"sqlite:///{data / 'gongyuan.db'}") as db, act_on(db) as act:
            hashed: HashedPassword = await prepared_password(PASSWORD, "nobody")
            for username in ("li", "zhao"):
                await create_account(act, username, username, hashed, {Role.ADMINISTRATOR})
            keys = Identity.open_or_create(tmp_path / "other").public
            peer = await register_peer(
                act, "registry", "r", keys.signing, keys.receiving, None, ("staff:li", "staff:zhao")
            )
            return peer.id

    peer = asyncio.run(known())

    def revoke(second: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"li:{PASSWORD}\nzhao:{PASSWORD}\n"))
        words = ["peers", "revoke", peer, "--reason", "keys lost", "--by", "li", "--second", second]
        return main([*words, "--passwords-stdin", "--config", str(config)])

    assert revoke("li") == 1
    assert main(["peers", "list", "--config", str(config)]) == 0
    assert "\ttrusted\t" in capsys.readouterr().out
    assert revoke("zhao") == 0
    assert main(["peers", "list", "--config", str(config)]) == 0
    assert "\trevoked\t" in capsys.readouterr().out
