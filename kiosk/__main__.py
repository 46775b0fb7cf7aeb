"""`python -m kiosk`: exam machines (find, set up, check, run), the kit, headless kiosks, enrolment of one seat."""

import argparse
import asyncio
import getpass
import json
import os
import signal
import sys
from pathlib import Path

import httpx
import msgspec

from kiosk.agent import enrol
from kiosk.bots import run_bots, tls_of
from kiosk.doctor import examine
from kiosk.finding import Found, pinned, scanned
from kiosk.kit import KitOrder, make_kit
from kiosk.launcher import Launcher, Told
from kiosk.notebook import export
from kiosk.script import load_script
from kiosk.seb import read_seb
from kiosk.settings import KioskSettings, load_settings
from kiosk.vault import SeatKey
from kiosk.words import both, say
from server.errors import BadInput, GongyuanError
from server.protocol.seb import config_key

SETTINGS = Path("/etc/gongyuan-kiosk/kiosk.toml")


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    parser = argparse.ArgumentParser(prog="gongyuan-kiosk", description="Headless kiosks and seat enrolment.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    bots = commands.add_parser("bots", help="run many headless kiosks from one script")
    bots.add_argument("--server", required=True, help="address of the centre, e.g. wss://exam.example:8443")
    bots.add_argument("--ca", type=Path, help="certificate of the centre's own authority (PEM)")
    bots.add_argument("--script", type=Path, required=True, help="what each kiosk does (JSON)")
    bots.add_argument("--ledger", type=Path, help="write every acknowledged answer to this file (JSON lines)")
    bots.set_defaults(run=_bots)
    bots.add_argument("--journals", type=Path, help="keep each seat's sealed local journal in this folder")
    carry = commands.add_parser("journal", help="write a kiosk's sealed journals to one file, to be carried")
    carry.add_argument("--folder", type=Path, required=True, help="where the seat's journals are kept")
    carry.add_argument("--out", type=Path, required=True, help="the file to write")
    carry.set_defaults(run=_journal)
    one = commands.add_parser("enrol", help="enrol this machine to a seat with its one-time code")
    one.add_argument("--server", required=True)
    one.add_argument("--ca", type=Path)
    one.add_argument("--code", required=True, help="code from the printed list")
    one.add_argument("--folder", type=Path, required=True, help="where the seat's key and name are kept")
    one.set_defaults(run=_enrol)
    _add_machine(commands)
    arguments = parser.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except GongyuanError as error:
        for language in ("zh", "en"):
            print(say(error.code, error.facts, language), file=sys.stderr)
        return 1
    return status


def _add_machine(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    find = commands.add_parser("find", help="find the centre: an address, a scanned code, or multicast")
    find.add_argument(
        "address", nargs="?", help="https://host:port or the scanned code; nothing: listen by multicast"
    )
    find.add_argument(
        "--pin", default="", metavar="HEX", help="pin of the server's key, from the kit's sheet"
    )
    find.set_defaults(run=_find)
    setup = commands.add_parser("setup", help="write this machine's settings from an address and a pin")
    setup.add_argument(
        "address", nargs="?", help="https://host:port or the scanned code; nothing: read one line"
    )
    setup.add_argument("--pin", default="", metavar="HEX")
    setup.add_argument("--config", type=Path, default=SETTINGS, metavar="FILE")
    setup.set_defaults(run=_setup)
    doctor = commands.add_parser(
        "doctor", help="check browser, policies, input method, fonts, disk, server, clock"
    )
    doctor.add_argument("--config", type=Path, default=SETTINGS, metavar="FILE")
    doctor.add_argument("--json", action="store_true", help="for programmes")
    doctor.set_defaults(run=_doctor)
    run = commands.add_parser(
        "run", help="run this machine: Chromium on the exam page, started again when it ends"
    )
    run.add_argument("--config", type=Path, default=SETTINGS, metavar="FILE")
    run.add_argument("--code", default="", help="one-time code that enrols the machine to its seat")
    run.add_argument(
        "--browser-flag", action="append", default=[], metavar="FLAG", help="one more flag of the browser"
    )
    run.set_defaults(run=_run)
    kit = commands.add_parser("kit", help="make a centre's kit; the order comes from gongyuan kiosk kit")
    kit.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    kit.set_defaults(run=_kit)
    seb = commands.add_parser("seb", help="show the Config Key and the settings of a .seb file")
    seb.add_argument("file", type=Path)
    seb.add_argument("--password", action="store_true", help="ask for the file's password")
    seb.set_defaults(run=_seb)


async def _found(address: str, pin: str) -> Found:
    """Name the centre, and see that the pinned key answers there."""
    if address:
        found = scanned(address)
    else:
        from kiosk.discovery import the_centre

        found = await the_centre(pin)
    pin = pin or found.pin
    if not pin:
        raise BadInput("kiosk-pin-needed")
    await pinned(found.server, pin)
    return Found(found.server, pin)


def _find(arguments: argparse.Namespace) -> int:
    found = asyncio.run(_found(arguments.address or "", arguments.pin.lower()))
    print(found.server)
    print(found.pin)
    return 0


def _setup(arguments: argparse.Namespace) -> int:
    address = arguments.address or sys.stdin.readline()
    found = asyncio.run(_found(address.strip(), arguments.pin.lower()))
    arguments.config.parent.mkdir(parents=True, exist_ok=True)
    arguments.config.write_text(f'server = "{found.server}"\npin = "{found.pin}"\n', encoding="utf-8")
    print(arguments.config)
    return 0


async def _settled(path: Path) -> KioskSettings:
    """Read the settings, and find the server where they leave that to multicast."""
    settings = load_settings(path)
    if not settings.server:
        found = await _found("", settings.pin)
        settings = msgspec.structs.replace(settings, server=found.server)
    return settings


def _doctor(arguments: argparse.Namespace) -> int:
    async def check() -> int:
        settings = await _settled(arguments.config)
        machine = await examine(settings)
        if arguments.json:
            print(
                json.dumps(
                    {"faults": machine.faults, "browser": machine.browser, "input": machine.input_method}
                )
            )
        else:
            for finding in machine.findings:
                state = both(finding.fault or ("kiosk-not-checked" if finding.found == "?" else "kiosk-fine"))
                print(f"{both(finding.check)}: {state} {finding.found}".rstrip())
            count = len(machine.faults)
            print(both("kiosk-not-ready" if count else "kiosk-ready", {"count": count}))
        return 1 if machine.faults else 0

    return asyncio.run(check())


def _run(arguments: argparse.Namespace) -> int:
    def tell(one: Told) -> None:
        print(one.what, one.figure, flush=True)

    async def run() -> None:
        settings = await _settled(arguments.config)
        launcher = Launcher(settings, tell, arguments.code, tuple(arguments.browser_flag))
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, launcher.stop)
        await launcher.run()

    asyncio.run(run())
    return 0


def _kit(arguments: argparse.Namespace) -> int:
    try:
        order = msgspec.json.decode(sys.stdin.buffer.read(), type=KitOrder)
    except msgspec.DecodeError as error:
        raise BadInput("bad-input", reason=str(error)) from error
    print(msgspec.json.encode(make_kit(order, arguments.out)).decode())
    return 0


def _seb(arguments: argparse.Namespace) -> int:
    try:
        data = arguments.file.read_bytes()
    except OSError as error:
        raise BadInput("settings-unreadable", path=str(arguments.file), reason=str(error)) from error
    settings = read_seb(data, getpass.getpass("password: ") if arguments.password else "")
    print(config_key(settings))
    for name in ("startURL", "allowQuit", "URLFilterEnable", "sebConfigPurpose"):
        print(f"{name}: {settings.get(name)}")
    return 0


def _bots(arguments: argparse.Namespace) -> int:
    script = load_script(arguments.script)
    return asyncio.run(
        run_bots(arguments.server, arguments.ca, script, arguments.ledger, journals=arguments.journals)
    )


def _journal(arguments: argparse.Namespace) -> int:
    data = export(arguments.folder)
    arguments.out.write_bytes(data)
    print(f"{arguments.out}: {len(data)} bytes")
    return 0


def _enrol(arguments: argparse.Namespace) -> int:
    key = SeatKey.generate()

    async def ask() -> dict[str, str]:
        tls = tls_of(arguments.ca)
        async with httpx.AsyncClient(verify=tls or True, timeout=30, trust_env=False) as client:
            return await enrol(client, arguments.server, arguments.code, key)

    enrolled = asyncio.run(ask())
    arguments.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = arguments.folder / "seat.json"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(enrolled | {"key": key.raw().hex(), "server": arguments.server}, out, ensure_ascii=False)
    print(f"{enrolled['centre']}: {enrolled['room']}-{enrolled['number']}")
    print(enrolled["fingerprint"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
