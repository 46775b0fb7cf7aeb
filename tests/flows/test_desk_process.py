"""`gongyuan bank serve` as its own process: opened over TLS by two, closed, and gone."""

import asyncio
import ssl
import sys
from pathlib import Path

import httpx

from server.accounts.roles import Role
from server.accounts.service import create_account
from server.db.engine import Database
from server.db.migrate import upgrade
from server.keys.openings_wire import opening_info
from server.keys.sealing import hpke_seal
from server.tables import load_models
from tests.support.centre import LONG_S, PASSWORD, ROOT
from tests.support.clock import FakeClock
from tests.support.database import act_on
from tests.support.desk import PASSPHRASES, with_bank
from tests.support.papers import BANK


async def test_the_process_of_the_desk_ends_with_its_opening(tmp_path: Path, clock: FakeClock) -> None:
    """Two custodians open the bank over TLS in a process of its own; its pages show items until the desk is closed,
    and then the process has ended with status 0."""
    (tmp_path / "data").mkdir()
    config, address = tmp_path / "centre.toml", tmp_path / "address"
    config.write_text('role = "centre"\ndata = "data"\n', encoding="utf-8")
    load_models()
    db = Database(f"sqlite:///{tmp_path / 'data' / 'gongyuan.db'}")
    await asyncio.to_thread(upgrade, db)
    await with_bank(db, clock)
    async with act_on(db) as act:
        roles = (Role.EXAM_OFFICE, Role.ITEM_WRITER)
        await create_account(act, "everyone", "众人", PASSWORD, roles)
    await db.close()
    words = ("bank", "serve", "--port", "0", "--address-file", str(address), "--config", str(config))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        assert address.read_text(encoding="utf-8") == url
        trust = ssl.create_default_context(cafile=tmp_path / "data" / "tls" / "ca.pem")
        async with httpx.AsyncClient(
            base_url=url.removesuffix("/desk"), verify=trust, timeout=LONG_S
        ) as http:

            async def post(path: str, body: dict[str, object]) -> httpx.Response:
                token = next(value for name, value in http.cookies.items() if "csrf" in name)
                answer = await http.post(path, json=body, headers={"x-csrftoken": token})
                assert answer.status_code < 300, answer.text
                return answer

            await http.get("/api/time")
            await post("/api/login", {"username": "everyone", "password": PASSWORD})
            offer = (await post("/api/desk", {"bank": BANK, "minutes": 60})).json()
            for custodian, passphrase in PASSPHRASES.items():
                info = opening_info(offer["id"])
                sealed = hpke_seal(bytes.fromhex(offer["public_key"]), passphrase.encode(), info).hex()
                body = {"opening": offer["id"], "custodian": custodian, "sealed": sealed}
                state = (await post("/api/desk/passphrases", body)).json()["state"]
            assert state == "open"
            assert "single stem" in (await http.get("/desk/items?words=single")).text
            assert "密钥已销毁" in (await post("/desk/close", {})).text
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
