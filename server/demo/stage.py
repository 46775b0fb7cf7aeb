"""The stage of the demo day: its folder, clock, processes, people, and what has been learnt so far."""

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.clock import SHANGHAI
from server.demo import cast
from server.demo.cast import Member
from server.demo.children import Child, Children
from server.demo.client import Person
from server.demo.legal_clock import LegalClock
from server.demo.progress import Progress
from server.errors import BadInput
from server.settings import DEMO_MARKER

TOGETHER = 4
"""Accounts made or signed in at the same time: each costs a password hash of a third of a second."""


@dataclass(slots=True)
class Node:
    """One server of the demo."""

    role: str
    folder: Path
    config: Path
    staff: dict[str, Member]
    administrator: Member
    url: str = ""
    child: Child | None = None
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def authority(self) -> Path:
        """The node's own certificate authority, which its visitors trust."""
        return self.folder / "tls" / "ca.pem"


@dataclass(slots=True)
class Stage:
    """Everything the acts of the day share."""

    folder: Path
    clock: LegalClock
    speed: float
    """Legal seconds a second from the bell to the collection; before and after, people take the time they need."""
    children: Children
    progress: Progress
    registry: Node
    centre: Node
    passphrases: dict[str, str]
    learnt: dict[str, Any] = field(default_factory=dict)
    refused: list[dict[str, str]] = field(default_factory=list)
    bots: Child | None = None

    def step(self, text: str) -> None:
        """Say what has just been done, at the legal time."""
        self.progress.step(self.clock.now(), text)

    def refusal(self, what: str, code: str, reason: str) -> None:
        """Note something that was tried and rightly refused."""
        self.refused.append({"what": what, "code": code, "reason": reason})
        self.progress.refused(self.clock.now(), what, reason)

    def officer(self, username: str) -> Person:
        """A signed-in person at the registry."""
        return self.registry.people[username]

    def staff(self, username: str) -> Person:
        """A signed-in person at the centre."""
        return self.centre.people[username]


def cleared(folder: Path) -> Path:
    """Make an empty demo folder; BadInput when a folder is there that no demo made."""
    folder = folder.resolve()
    if folder.exists():
        if any(folder.iterdir()) and not (folder / DEMO_MARKER).exists():
            raise BadInput("demo-folder-not-ours", path=str(folder))
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / DEMO_MARKER).touch()
    return folder


def _node(folder: Path, role: str, port: int, name: str, extra: str = "") -> Node:
    data = folder / role
    config = folder / f"{role}.toml"
    # Two hosts for one browser: cookies know no port, so the two servers' logins would push each other out.
    names = '"127.0.0.1", "localhost"' if role == "registry" else '"localhost", "127.0.0.1"'
    config.write_text(
        f'role = "{role}"\ndata = "{role}"\nname = "{name}"\n{extra}'
        f'\n[listen]\nhost = "127.0.0.1"\nport = {port}\nnames = [{names}]\n',
        encoding="utf-8",
    )
    staff = cast.registry_staff() if role == "registry" else cast.centre_staff()
    return Node(role, data, config, staff, cast.administrator())


def set_up(folder: Path, speed: float, port: int, progress: Progress) -> Stage:
    """Lay the folder out: clock file, settings of both servers. `port` 0 lets the system pick free ports."""
    folder = cleared(folder)
    clock = LegalClock(folder / "clock.json", cast.START, 1.0)
    registry = _node(folder, "registry", port, "北京市职业技能鉴定管理中心（演示）")
    centre = _node(folder, "centre", port + 1 if port else 0, cast.ORGANISATION_NAME)
    children = Children(folder, clock.path)
    return Stage(folder, clock, speed, children, progress, registry, centre, cast.custodian_passphrases())


async def open_doors(stage: Stage, node: Node) -> None:
    """Start a server, make its first administrator, and sign its people in."""
    admin = node.administrator
    await stage.children.command(
        "accounts", "create-administrator", admin.username, "--name", admin.name, "--password-stdin",
        "--config", str(node.config), stdin=admin.password + "\n",
    )  # fmt: skip
    await start(stage, node)
    first = await Person(node.url, node.authority).sign_in(admin.username, admin.password)
    together = asyncio.Semaphore(TOGETHER)

    async def enter(member: Member) -> None:
        async with together:
            body = {
                "username": member.username,
                "display_name": member.name,
                "password": member.password,
                "roles": list(member.roles),
                "scope": member.scope,
            }
            await first.post("/api/accounts", body)
            person = Person(node.url, node.authority)
            node.people[member.username] = await person.sign_in(member.username, member.password)

    await asyncio.gather(*(enter(member) for member in node.staff.values()))
    node.people[admin.username] = first


async def start(stage: Stage, node: Node) -> None:
    """Start (or start again) a server process and wait for its address."""
    (node.folder / "address.json").unlink(missing_ok=True)
    node.child = await stage.children.start(
        node.role, "serve", "--role", node.role, "--config", str(node.config)
    )
    node.url = await stage.children.address(node.child, node.folder)
    # A port that the system picked stays the node's own: people and kiosks come back to it after a restart.
    settings = node.config.read_text(encoding="utf-8")
    node.config.write_text(
        settings.replace("\nport = 0\n", f"\nport = {node.url.rpartition(':')[2]}\n"), "utf-8"
    )


def local(stage: Stage) -> str:
    """Return the legal time as people read it."""
    return f"{stage.clock.now().astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
