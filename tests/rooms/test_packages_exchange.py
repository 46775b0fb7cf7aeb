"""Packages between a registry and centres, on real databases with real keys."""

import hashlib
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, select

from server.db.engine import Database
from server.errors import BadInput, GongyuanError, NotFound, Refused
from server.keys.identity import Identity
from server.packages.contents import (
    ExamContent,
    NoticeContent,
    NoticeRow,
    ObjectionContent,
    StandingContent,
    decode,
    encode,
)
from server.packages.dispatch import accept
from server.packages.envelope import split
from server.packages.manifest import CONTENT_FILE, MANIFEST_FILE, manifest_bytes
from server.packages.models import IncomingRow
from server.packages.outbox import Received, assemble, pack, receive
from server.packages.peers import (
    PeerState,
    confirm_peer,
    enter_peer,
    register_peer,
    revoke_peer,
    trusted_peer,
)
from tests.support.clock import START
from tests.support.database import act_on

POSTGRES = (
    "test_exam_package_arrives_as_it_was_packed",
    "test_repeated_and_superseded_packages_are_refused",
    "test_a_room_that_refuses_keeps_nothing",
)

TWO = ("staff:li", "staff:zhao")


def standing(serial: int = 1) -> StandingContent:
    return StandingContent(organisation="org-1", status="good", serial=serial, as_of=START)


def exam(plan: str = "plan-1", name: str = "20260314电工") -> ExamContent:
    return ExamContent(
        plan=plan,
        name=name,
        organisation="org-1",
        organisation_name="示范评价机构",
        occupation="电工",
        occupation_code="6-31-01-03",
        level=4,
        jurisdiction="beijing",
        slots=(),
        rooms=(),
        candidates=(),
        seating=(),
        staff=(),
        commitment="00" * 32,
        nonce="11" * 32,
        bank_root="22" * 32,
        standing=standing(),
    )


def notice(plan: str = "plan-1") -> NoticeContent:
    row = NoticeRow(candidate="c1", ticket="t1", theory=81.5, result="pass")
    return NoticeContent(plan=plan, rows=(row,), journal_head="ab", counts={"enrolled": 1})


@pytest.fixture
def registry(tmp_path: Path) -> Identity:
    """Keys of a registry."""
    return Identity.open_or_create(tmp_path / "registry")


@pytest.fixture
def centre(tmp_path: Path) -> Identity:
    """Keys of a centre."""
    return Identity.open_or_create(tmp_path / "centre")


@pytest.fixture
def other(tmp_path: Path) -> Identity:
    """Keys of another centre."""
    return Identity.open_or_create(tmp_path / "other")


async def know(db: Database, kind: str, name: str, node: Identity) -> None:
    async with act_on(db) as act:
        await register_peer(
            act,
            kind,  # type: ignore[arg-type]
            name,
            node.public.signing,
            node.public.receiving,
            None,
            TWO,
        )


async def packed(db: Database, identity: Identity, peer: str, content: object) -> bytes:
    kind = type(content).__struct_config__.tag  # type: ignore[attr-defined]
    plan = getattr(content, "plan", "")
    async with act_on(db) as act:
        return (await pack(act, identity, peer, kind, plan, content)).bytes  # type: ignore[arg-type]


async def taken(db: Database, identity: Identity, data: bytes, plan: str | None = None) -> Received:
    async with act_on(db) as act:
        return await receive(act, identity, data, plan)


async def code_of(db: Database, identity: Identity, data: bytes, plan: str | None = None) -> str:
    with pytest.raises(GongyuanError) as caught:
        await taken(db, identity, data, plan)
    async with db.reading() as session:
        count = await session.scalar(
            select(func.count()).where(IncomingRow.hash == hashlib.sha256(data).digest())
        )
    assert caught.value.code == "package-repeated" or count == 0
    return caught.value.code


async def test_exam_package_arrives_as_it_was_packed(
    db: Database, registry: Identity, centre: Identity
) -> None:
    """An exam package opens at its centre with the content, the plan and the number that were packed."""
    await know(db, "centre", "org-1", centre)
    await know(db, "registry", "registry", registry)
    data = await packed(db, registry, "org-1", exam())
    received = await taken(db, centre, data)
    assert (received.kind, received.plan, received.number) == ("exam", "plan-1", 1)
    assert received.content == exam()
    assert received.sender.name == "registry"
    assert "电工".encode() not in data


async def test_package_for_another_centre_is_refused(
    db: Database, registry: Identity, centre: Identity, other: Identity
) -> None:
    """A centre refuses a package that names another centre as its receiver."""
    await know(db, "centre", "org-1", centre)
    await know(db, "registry", "registry", registry)
    data = await packed(db, registry, "org-1", exam())
    assert await code_of(db, other, data) == "package-other-receiver"


async def test_package_of_an_unknown_sender_is_refused(
    db: Database, registry: Identity, centre: Identity
) -> None:
    """A package of a sender who is not a trusted peer is refused even when its signature is right."""
    await know(db, "centre", "org-1", centre)
    data = await packed(db, registry, "org-1", exam())
    assert await code_of(db, centre, data) == "sender-unknown"


async def test_every_changed_byte_is_refused(db: Database, registry: Identity, centre: Identity) -> None:
    """A package with any one sampled byte changed is refused, and nothing of it is kept."""
    await know(db, "centre", "org-1", centre)
    await know(db, "registry", "registry", registry)
    data = await packed(db, registry, "org-1", exam())
    codes = set()
    for place in range(0, len(data), max(1, len(data) // 60)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        codes.add(await code_of(db, centre, changed))
    assert codes <= {
        "package-form",
        "package-signature",
        "package-broken",
        "package-other-receiver",
        "sender-unknown",
    }
    assert {"package-signature", "package-broken"} <= codes
    assert (await taken(db, centre, data)).number == 1


async def test_package_of_another_plan_is_refused(db: Database, registry: Identity, centre: Identity) -> None:
    """A package for plan 2 is refused where plan 1 was asked for, and so is one whose content names another
    plan."""
    await know(db, "centre", "org-1", centre)
    await know(db, "registry", "registry", registry)
    data = await packed(db, registry, "org-1", exam("plan-2"))
    assert await code_of(db, centre, data, "plan-1") == "package-other-plan"
    async with act_on(db) as act:
        peer = await trusted_peer(act.session, "org-1")
    header = split(data).header_bytes
    files = {CONTENT_FILE: encode(exam("plan-3"))}
    files[MANIFEST_FILE] = manifest_bytes(files)
    digest = hashlib.sha256(files[MANIFEST_FILE]).hexdigest().encode()
    header = header.replace(split(data).header.manifest.encode(), digest)
    assert await code_of(db, centre, assemble(registry, peer, header, files)) == "package-other-plan"


async def test_swapped_inner_file_is_refused(db: Database, registry: Identity, centre: Identity) -> None:
    """A body whose content is replaced, with or without a new manifest, is refused under the old signed
    header."""
    await know(db, "centre", "org-1", centre)
    await know(db, "registry", "registry", registry)
    data = await packed(db, registry, "org-1", exam())
    async with act_on(db) as act:
        peer = await trusted_peer(act.session, "org-1")
    header = split(data).header_bytes
    old = {CONTENT_FILE: encode(exam())}
    swapped = {CONTENT_FILE: encode(exam(name="另一个")), MANIFEST_FILE: manifest_bytes(old)}
    assert await code_of(db, centre, assemble(registry, peer, header, swapped)) == "package-inner-file"
    swapped[MANIFEST_FILE] = manifest_bytes(swapped)
    assert await code_of(db, centre, assemble(registry, peer, header, swapped)) == "package-manifest"
    added = {**old, "extra.txt": b"x", MANIFEST_FILE: manifest_bytes(old)}
    assert await code_of(db, centre, assemble(registry, peer, header, added)) == "package-inner-file"


async def test_repeated_and_superseded_packages_are_refused(
    db: Database, registry: Identity, centre: Identity
) -> None:
    """A package taken before is refused as repeated, and an older number as superseded."""
    await know(db, "centre", "org-1", centre)
    await know(db, "registry", "registry", registry)
    first = await packed(db, registry, "org-1", exam())
    second = await packed(db, registry, "org-1", exam(name="改"))
    assert split(second).header.supersedes == 1
    assert (await taken(db, centre, second)).number == 2
    assert await code_of(db, centre, second) == "package-repeated"
    assert await code_of(db, centre, first) == "package-superseded"


async def test_two_packages_of_one_number_are_told_apart(
    db: Database, registry: Identity, centre: Identity
) -> None:
    """A second package under a number already taken is refused as such, not as a repetition."""
    await know(db, "centre", "org-1", centre)
    await know(db, "registry", "registry", registry)
    data = await packed(db, registry, "org-1", standing())
    assert (await taken(db, centre, data)).content == standing()
    async with act_on(db) as act:
        peer = await trusted_peer(act.session, "org-1")
    header = split(data).header_bytes
    files = {CONTENT_FILE: encode(standing(2))}
    files[MANIFEST_FILE] = manifest_bytes(files)
    assert await code_of(db, centre, assemble(registry, peer, header, files)) == "package-number-taken"


async def test_a_notice_is_taken_only_from_the_centre_of_its_plan(
    db: Database, registry: Identity, centre: Identity, other: Identity
) -> None:
    """A registry takes a plan's notice from the centre that got its exam package and from no other."""
    await know(db, "centre", "org-1", centre)
    await know(db, "centre", "org-2", other)
    await know(db, "registry", "registry", registry)
    data = await packed(db, centre, "registry", notice())
    assert await code_of(db, registry, data) == "package-other-plan"
    await packed(db, registry, "org-1", exam())
    stolen = await packed(db, other, "registry", notice())
    assert await code_of(db, registry, stolen) == "package-other-plan"
    assert (await taken(db, registry, data)).content == notice()


async def test_a_centre_may_not_send_what_a_registry_sends(
    db: Database, registry: Identity, centre: Identity
) -> None:
    """A standing signed by a centre is refused at the registry."""
    await know(db, "centre", "org-1", centre)
    await know(db, "registry", "registry", registry)
    data = await packed(db, centre, "registry", standing())
    assert await code_of(db, registry, data) == "package-wrong-side"


async def test_objection_needs_the_exam_package_first(
    db: Database, registry: Identity, centre: Identity
) -> None:
    """An objection to a plan that the centre never received is refused."""
    await know(db, "centre", "org-1", centre)
    await know(db, "registry", "registry", registry)
    content = ObjectionContent(
        plan="plan-1", objection="o1", candidate=None, received_at=START + timedelta(days=1), text="x"
    )
    objection = await packed(db, registry, "org-1", content)
    assert await code_of(db, centre, objection) == "package-other-plan"


async def test_a_peer_is_trusted_after_two_different_people(db: Database, centre: Identity) -> None:
    """One person alone, twice, does not make a peer trusted; a second person with the same fingerprint
    does."""
    keys = centre.public
    async with act_on(db, actor="staff:li") as act:
        peer = await enter_peer(
            act, "centre", "org-1", keys.signing, keys.receiving, "AB" * 32, keys.fingerprint
        )
        assert peer.state is PeerState.PROPOSED
    with pytest.raises(Refused, match="second-person-needed"):
        async with act_on(db, actor="staff:li") as act:
            await confirm_peer(act, peer.id, keys.fingerprint.lower().replace(" ", ""))
    with pytest.raises(NotFound):
        async with db.reading() as session:
            await trusted_peer(session, "org-1")
    async with act_on(db, actor="staff:zhao") as act:
        again = await enter_peer(
            act, "centre", "org-1", keys.signing, keys.receiving, "ab" * 32, keys.fingerprint
        )
    assert again.state is PeerState.TRUSTED
    assert (again.proposed_by, again.confirmed_by) == ("staff:li", "staff:zhao")


async def test_a_wrongly_typed_fingerprint_is_refused(db: Database, centre: Identity) -> None:
    """Keys whose fingerprint differs from the typed one in a single digit are not entered."""
    keys = centre.public
    typed = keys.fingerprint[:-1] + ("0" if keys.fingerprint[-1] != "0" else "1")
    with pytest.raises(Refused, match="fingerprint-differs"):
        async with act_on(db) as act:
            await enter_peer(act, "centre", "org-1", keys.signing, keys.receiving, None, typed)
    with pytest.raises(BadInput, match="fingerprint-form"):
        async with act_on(db) as act:
            await enter_peer(act, "centre", "org-1", keys.signing, keys.receiving, None, typed[:-1])


async def test_a_revoked_peer_is_no_longer_heard(db: Database, registry: Identity, centre: Identity) -> None:
    """Packages of a revoked peer are refused, and none can be packed for it."""
    await know(db, "centre", "org-1", centre)
    await know(db, "registry", "registry", registry)
    data = await packed(db, registry, "org-1", standing())
    async with act_on(db) as act:
        await revoke_peer(
            act, (await trusted_peer(act.session, "registry")).id, "compromised", "staff:second"
        )
        await revoke_peer(act, (await trusted_peer(act.session, "org-1")).id, "compromised", "staff:second")
    assert await code_of(db, centre, data) == "sender-revoked"
    with pytest.raises(NotFound, match="peer-unknown"):
        await packed(db, registry, "org-1", standing(2))


async def test_a_room_that_refuses_keeps_nothing(db: Database, registry: Identity, centre: Identity) -> None:
    """When the room refuses a content, its package may be sent again: no incoming row is left."""
    await know(db, "centre", "org-1", centre)
    await know(db, "registry", "registry", registry)
    data = await packed(db, registry, "org-1", exam())

    async def refusing(_act: object, _received: Received) -> None:
        raise BadInput("not-now")

    with pytest.raises(BadInput):
        async with act_on(db) as act:
            await accept(act, centre, {"exam": refusing}, data)
    assert (await taken(db, centre, data)).number == 1


def test_content_with_an_unknown_field_is_an_error() -> None:
    """A content with a field that its kind does not have is not decoded."""
    data = msgspec.json.decode(encode(standing()))
    assert decode(msgspec.json.encode(data)) == standing()
    with pytest.raises(msgspec.ValidationError):
        decode(msgspec.json.encode({**data, "extra": 1}))
