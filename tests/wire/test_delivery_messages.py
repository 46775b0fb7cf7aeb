"""The kiosk protocol on the wire: golden bytes of every message, closed forms, and frames that are no
messages.
"""

import hashlib
import hmac
import json
import random
import string
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.brain import Brain, Outdated
from server.errors import BadInput
from server.protocol import codec, exam
from server.protocol.envelope import (
    answered_count,
    answers_digest,
    beacon_bytes,
    chained,
    event_bytes,
    hand_in_bytes,
    holding,
    receipt_bytes,
    receipt_code,
    receipt_code_holds,
    receipt_mac,
    resume_token,
    seat_proof,
)
from server.protocol.ids import CODE_ALPHABET, base32, check_character, code_as_typed
from server.protocol.journal import JournalEntry, JournalHead
from server.protocol.link import reconnect_wait
from server.protocol.paper import SealedPaper
from server.protocol.schema import exam_schema

AT = datetime(2026, 3, 14, 1, 2, 3, 456000, tzinfo=UTC)
H32, H64 = "ab" * 32, "cd" * 64
BEACON = exam.Beacon(now=AT, rate=1.0, node="0123", signature=H64)
BEACON_TEXT = (
    f'{{"type":"beacon","now":"2026-03-14T01:02:03.456000Z","rate":1.0,"node":"0123","signature":"{H64}"}}'
)
SEALED = SealedPaper("p1", "s1", "pl", "sl", 3, b"\x01" * 32, b"\x02" * 12, b"{}", b"\xff\xfe")

GOLDEN: list[tuple[Any, str]] = [
    (exam.Challenge(nonce=H32), f'{{"type":"challenge","nonce":"{H32}","version":1}}'),
    (
        exam.Welcome(seat="s", room="3", number=17, centre="考点"),
        '{"type":"welcome","seat":"s","room":"3","number":17,"centre":"考点"}',
    ),
    (BEACON, BEACON_TEXT),
    (exam.Expecting(on=True), '{"type":"expecting","on":true}'),
    (
        exam.Seated(
            sitting="s1",
            lease=2,
            token=H32,
            next_seq=9,
            candidate="张三",
            ticket="T1",
            plan="第一批",
            title="电工 4",
            minutes=90,
            planned_start=AT,
            paper="p1",
            answers=(exam.SavedAnswer(number=1, value=("A", "C"), lease=1, seq=8),),
            marks=(4,),
        ),
        f'{{"type":"seated","sitting":"s1","lease":2,"token":"{H32}","next_seq":9,"candidate":"张三","ticket":"T1",'
        '"plan":"第一批","title":"电工 4","minutes":90,"planned_start":"2026-03-14T01:02:03.456000Z","paper":"p1",'
        '"answers":[{"number":1,"value":["A","C"],"lease":1,"seq":8}],"marks":[4],"journal_key":null,"early":30,"late":15}',
    ),
    (
        exam.PhaseNow(
            kind="running", now=AT, rate=60.0, start=AT, end=AT, hand_in_opens=AT, hand_in_closes=AT
        ),
        '{"type":"phase","kind":"running","now":"2026-03-14T01:02:03.456000Z","rate":60.0,'
        '"start":"2026-03-14T01:02:03.456000Z","end":"2026-03-14T01:02:03.456000Z",'
        '"hand_in_opens":"2026-03-14T01:02:03.456000Z","hand_in_closes":"2026-03-14T01:02:03.456000Z",'
        '"resumes_at":null,"away":false}',
    ),
    (
        exam.PaperSealed(paper=SEALED),
        '{"type":"sealed_paper","paper":{"id":"p1","sitting":"s1","plan":"pl","slot":"sl","policy":3,'
        '"hash":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","nonce":"AgICAgICAgICAgIC","aad":"e30=",'
        '"ciphertext":"//4="}}',
    ),
    (exam.PaperKey(paper="p1", key=H32), f'{{"type":"paper_key","paper":"p1","key":"{H32}"}}'),
    (
        exam.Acknowledged(
            lease=2, seq=9, number=3, outcome="late", receipt=exam.Receipt(number=7, hash=H32, mac=H32)
        ),
        '{"type":"acknowledged","lease":2,"seq":9,"number":3,"outcome":"late",'
        f'"receipt":{{"number":7,"hash":"{H32}","mac":"{H32}"}}}}',
    ),
    (
        exam.Refused(
            about="hand_in",
            code="hand-in-too-early",
            article="BJ-E:A5.2-9",
            facts={"opens": "09:30:00", "wait_s": 60, "x": None, "y": True},
            seq=4,
        ),
        '{"type":"refused","about":"hand_in","code":"hand-in-too-early","article":"BJ-E:A5.2-9",'
        '"facts":{"opens":"09:30:00","wait_s":60,"x":null,"y":true},"seq":4}',
    ),
    (exam.Ping(n=5), '{"type":"ping","n":5}'),
    *(
        (
            kind(at=AT, count=2, digest=H32, head="c:1:00", code="ABC", signature=H64),
            f'{{"type":"{tag}","at":"2026-03-14T01:02:03.456000Z","count":2,"digest":"{H32}","head":"c:1:00",'
            f'"code":"ABC","signature":"{H64}"}}',
        )
        for kind, tag in ((exam.HandedIn, "handed_in"), (exam.Collected, "collected"))
    ),
    (exam.Voided(at=AT), '{"type":"voided","at":"2026-03-14T01:02:03.456000Z"}'),
    (exam.Moved(room="2", number=31), '{"type":"moved","room":"2","number":31}'),
    (exam.Replaced(lease=3), '{"type":"replaced","lease":3}'),
    (
        exam.Notice(id="n1", at=AT, text="请安静"),
        '{"type":"message","id":"n1","at":"2026-03-14T01:02:03.456000Z","text":"请安静"}',
    ),
    (exam.Called(id="c1"), '{"type":"called","id":"c1"}'),
    (exam.Halted(at=AT), '{"type":"halted","at":"2026-03-14T01:02:03.456000Z"}'),
    (
        exam.Command(id="a1", kind="pause", at=AT),
        '{"type":"command","id":"a1","kind":"pause","at":"2026-03-14T01:02:03.456000Z"}',
    ),
    (exam.Heard(id="a1", step="done"), '{"type":"heard","id":"a1","step":"done"}'),
    (
        exam.Hello(seat="s", signature=H64, agent="page/1"),
        f'{{"type":"hello","seat":"s","signature":"{H64}","version":1,"agent":"page/1","token":""}}',
    ),
    (
        exam.SignIn(ticket="T1", id_number="11010119900101001X"),
        '{"type":"sign_in","ticket":"T1","id_number":"11010119900101001X"}',
    ),
    (
        exam.Resume(sitting="s1", lease=2, token=H32),
        f'{{"type":"resume","sitting":"s1","lease":2,"token":"{H32}","paper":null}}',
    ),
    (
        exam.Resume(sitting="s1", lease=2, token=H32, paper=holding(SEALED.hash, SEALED.nonce)),
        f'{{"type":"resume","sitting":"s1","lease":2,"token":"{H32}","paper":"{"01" * 32}{"02" * 12}"}}',
    ),
    (exam.Opened(paper="p1", items=80), '{"type":"opened","paper":"p1","items":80}'),
    (
        exam.Answer(lease=2, seq=9, number=3, value=("填空", "2"), beacon=BEACON, elapsed_ms=1500),
        f'{{"type":"answer","lease":2,"seq":9,"number":3,"value":["填空","2"],"beacon":{BEACON_TEXT},"elapsed_ms":1500}}',
    ),
    (exam.Mark(number=3, on=True), '{"type":"mark","number":3,"on":true}'),
    (
        exam.HandIn(lease=2, seq=10, count=3, digest=H32),
        f'{{"type":"hand_in","lease":2,"seq":10,"count":3,"digest":"{H32}"}}',
    ),
    (
        exam.Call(reason="item", fault="picture", number=3, text="图不清"),
        '{"type":"call","reason":"item","fault":"picture","number":3,"text":"图不清"}',
    ),
    (exam.Pong(n=5, waiting=2), '{"type":"pong","n":5,"waiting":2}'),
    (
        exam.JournalKept(sitting="s1", lease=2, count=7),
        '{"type":"journal_kept","sitting":"s1","lease":2,"count":7}',
    ),
    (
        exam.LateJournal(
            head=JournalHead(sitting="s1", lease=2, seat="s", wrapped="ab" * 80, signature=H64),
            first=6,
            entries=(JournalEntry(seq=9, iv=b"\x02" * 12, data=b"\xff" * 16, signature=H64),),
        ),
        f'{{"type":"late_journal","head":{{"sitting":"s1","lease":2,"seat":"s","wrapped":"{"ab" * 80}",'
        f'"signature":"{H64}"}},"first":6,"entries":[{{"seq":9,"iv":"AgICAgICAgICAgIC",'
        f'"data":"/////////////////////w==","signature":"{H64}"}}]}}',
    ),
]
FROM_KIOSK, TO_KIOSK = get_args(exam.FromKiosk), get_args(exam.ToKiosk)


def _read(message: Any, frame: bytes) -> Any:
    return codec.from_kiosk(frame) if type(message) in FROM_KIOSK else codec.to_kiosk(frame)


def test_every_message_has_golden_bytes() -> None:
    """No message of the protocol is without its golden bytes."""
    assert {type(message) for message, _ in GOLDEN} == {*FROM_KIOSK, *TO_KIOSK}


@pytest.mark.parametrize(("message", "text"), GOLDEN, ids=lambda value: type(value).__name__)
def test_golden_bytes(message: Any, text: str) -> None:
    """Each message is written as these bytes and read back as itself."""
    assert codec.encode(message).decode() == text
    assert _read(message, text.encode()) == message
    assert _read(message, text.encode()) == msgspec.json.decode(text, type=type(message))


@pytest.mark.parametrize(("message", "text"), GOLDEN, ids=lambda value: type(value).__name__)
def test_unknown_field_is_an_error(message: Any, text: str) -> None:
    """A message with one field more than stated is refused."""
    data = json.loads(text) | {"extra": 1}
    with pytest.raises(BadInput, match="message-unreadable"):
        _read(message, json.dumps(data).encode())


def test_directions_are_not_mixed() -> None:
    """The server reads no message that only a server sends, and a kiosk none that only a kiosk sends."""
    for message, text in GOLDEN:
        read_wrongly = codec.to_kiosk if type(message) in FROM_KIOSK else codec.from_kiosk
        with pytest.raises(BadInput):
            read_wrongly(text)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(frame: bytes) -> None:
    """Whatever bytes come, they are a message or BadInput, never another error."""
    try:
        assert type(codec.from_kiosk(frame)) in FROM_KIOSK
    except BadInput as error:
        assert error.code in ("message-unreadable", "message-too-long")


def test_damaged_frames_are_read_or_refused() -> None:
    """Twenty thousand damaged true frames give a message or BadInput, never another error."""
    rng = random.Random(7)
    frames = [text.encode() for message, text in GOLDEN if type(message) in FROM_KIOSK]
    read = 0
    for _ in range(20_000):
        frame = bytearray(rng.choice(frames))
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(frame))
            match rng.randrange(4):
                case 0:
                    frame[place] = rng.randrange(256)
                case 1:
                    del frame[place:]
                case 2:
                    frame[place:place] = rng.choice(frames)[: rng.randrange(40)]
                case _:
                    frame[place:place] = rng.choice(string.printable).encode() * rng.randrange(1, 30)
            if not frame:
                break
        try:
            codec.from_kiosk(bytes(frame))
            read += 1
        except BadInput:
            pass
    assert read < 20_000


def test_deep_nesting_is_refused() -> None:
    """A frame of ten thousand brackets is BadInput."""
    with pytest.raises(BadInput):
        codec.from_kiosk(b'{"type":"answer","value":' + b"[" * 10_000)


def test_long_frame_is_refused() -> None:
    """A frame over the limit is refused before it is read."""
    with pytest.raises(BadInput, match="message-too-long"):
        codec.from_kiosk(b" " * (codec.MOST_FROM_KIOSK + 1))


@pytest.mark.parametrize(
    "change",
    [
        {"lease": 0},
        {"seq": 0},
        {"number": 0},
        {"number": 1001},
        {"value": "A"},
        {"value": ["x" * 10_001]},
        {"value": ["x"] * 41},
        {"elapsed_ms": -1},
        {"seq": True},
        {"seq": 1.5},
        {"lease": None},
    ],
)
def test_answers_keep_their_limits(change: dict[str, Any]) -> None:
    """An answer out of the stated limits is unreadable."""
    data = {"type": "answer", "lease": 1, "seq": 1, "number": 1, "value": ["A"]} | change
    with pytest.raises(BadInput):
        codec.from_kiosk(json.dumps(data))


def test_what_signatures_cover() -> None:
    """The signed and hashed bytes are exactly these, so that the page's own code can be held against them."""
    assert seat_proof(bytes(32), "seat-1") == b"gongyuan/seat/1\x00" + bytes(32) + b"seat-1"
    assert beacon_bytes(AT, 1.0, "0123") == b"gongyuan/beacon/1\n2026-03-14T01:02:03.456000Z\n1.0\n0123"
    assert beacon_bytes(AT, 1.0, "0123", 2) == beacon_bytes(AT, 1.0, "0123") + b"\n2"
    answers = {2: ("文", "b"), 1: ("A",), 3: (), 4: ("",)}
    assert answers_digest(answers) == hashlib.sha256('[[1,["A"]],[2,["文","b"]]]'.encode()).hexdigest()
    assert answered_count(answers) == 2
    event = event_bytes("s", 1, 2, 3, ("A",))
    assert event == b'["s",1,2,3,["A"]]'
    assert chained(bytes(32), event) == hashlib.sha256(bytes(32) + hashlib.sha256(event).digest()).digest()
    assert hand_in_bytes("s", AT, 2, H32, "c:1:0").endswith(b"\n2\n" + H32.encode() + b"\nc:1:0")


def test_tokens_and_receipts_differ_by_every_part() -> None:
    """Another key, sitting or lease gives another token, and another seq, outcome or number another receipt."""
    tokens = {resume_token(k, s, n) for k in (b"a", b"b") for s in ("x", "y") for n in (1, 2)}
    assert len(tokens) == 8
    outcomes = ("counted", "late")
    macs = {receipt_mac(b"k", "x", 1, s, o, n, bytes(32)) for s in (1, 2) for o in outcomes for n in (1, 2)}
    assert len(macs) == 8


@given(st.binary(max_size=90), st.binary(min_size=32, max_size=32))
def test_a_receipt_is_an_hmac(key: bytes, digest: bytes) -> None:
    """A receipt is HMAC-SHA-256 of its bytes under a key of any length."""
    covered = receipt_bytes("x", 1, 2, "counted", 3, digest)
    assert receipt_mac(key, "x", 1, 2, "counted", 3, digest) == hmac.digest(key, covered, "sha256").hex()


@given(st.binary(min_size=1, max_size=40), st.integers(0, 12), st.sampled_from(CODE_ALPHABET))
def test_receipt_code_shows_a_misreading(signed: bytes, place: int, other: str) -> None:
    """A receipt code with one character changed does not hold (0 and Z count as one)."""
    code = receipt_code(signed)
    assert len(code) == 14 and receipt_code_holds(code)
    changed = code[:place] + other + code[place + 1 :]
    same = CODE_ALPHABET.index(other) % 31 == CODE_ALPHABET.index(code[place]) % 31
    assert receipt_code_holds(changed) is same


def test_typed_codes() -> None:
    """A code is read whatever its case and separators, with O as 0 and I or L as 1."""
    assert code_as_typed(" ab-o1 il ") == "AB0111"
    assert base32(b"\xff" * 5, 8) == "Z" * 8
    assert check_character("0000") == "0"


def test_back_off_is_bounded_and_never_nothing() -> None:
    """Waits grow to at most 6 s and are never shorter than an eighth of a second."""
    waits = [reconnect_wait(n, chance) for n in range(40) for chance in (0.0, 0.5, 0.999)]
    assert min(waits) >= 0.125
    assert max(waits) <= 6.0


def test_schema_names_every_message() -> None:
    """The published schema has a definition for each message, and none allows further fields."""
    schema = exam_schema()
    tags = {
        definition["properties"]["type"]["enum"][0]
        for definition in schema["$defs"].values()
        if "type" in definition.get("properties", {}) and "enum" in definition["properties"]["type"]
    }
    wanted = {kind.__struct_config__.tag for kind in (*FROM_KIOSK, *TO_KIOSK)}
    assert wanted <= tags
    assert all(
        definition["additionalProperties"] is False
        for definition in schema["$defs"].values()
        if "properties" in definition
    )


def test_a_kiosk_leaves_a_server_whose_standby_was_promoted() -> None:
    """After a beacon of epoch 2 one of epoch 1 is not taken, and the kiosk is told to leave the line."""
    brain = Brain("seat-1")
    newer = msgspec.structs.replace(BEACON, epoch=2)
    assert brain.receive(codec.encode(newer), 1.0) == [newer]
    assert brain.receive(codec.encode(BEACON), 2.0) == [Outdated(1)]
    assert brain._beacon == newer and b"epoch" not in codec.encode(BEACON)
