"""The log of a real SQLite database, shipped over TLS to a copy that is promoted."""

import os
import socket
import sqlite3
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from server.clock import SystemClock
from server.db.engine import SHIPPING_MARKER
from server.errors import Refused
from server.keys.authority import ensure_tls
from server.standby import receiving, shipping
from server.standby.epoch import Epoch, read_epoch, serving_refusal, write_epoch
from server.standby.receiving import COPIES, CURRENT, DATABASE, Receiver, current_copy, promote
from server.standby.shipping import Shipper, promoted_elsewhere
from server.standby.wire import MOST_UNPROVED, Greeting, Ping, Proof, proof_mac, receive, send
from tests.support.sqlite_files import locks, opened_beside_sqlite

SECRET = "ab" * 32


class Pair:
    """A centre's database and its standby on this machine."""

    def __init__(self, base: Path) -> None:
        self.primary, self.standby = base / "primary", base / "standby"
        for folder in (self.primary, self.standby):
            folder.mkdir()
        tls = ensure_tls(base / "tls", ("localhost",))
        self.client = ssl.create_default_context(cafile=str(tls.ca))
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(tls.certificate, tls.key)
        self.port = 0
        self.fenced = threading.Event()
        (self.primary / SHIPPING_MARKER).touch()
        write_epoch(self.standby, Epoch("standby"))
        self.disk = sqlite3.connect(self.primary / DATABASE, isolation_level=None)
        for pragma in ("journal_mode=wal", "synchronous=full", "wal_autocheckpoint=0"):
            self.disk.execute(f"pragma {pragma}").fetchall()
        self.disk.execute("create table answer (n integer primary key, body blob)")
        self.receiver = self.listen()
        self.shipper = self.ship()

    def listen(self) -> Receiver:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port = int(listener.getsockname()[1])
        receiver = Receiver(self.standby, listener, self.server, SECRET)
        receiver.start()
        return receiver

    def ship(self) -> Shipper:
        shipper = Shipper(
            self.primary / DATABASE,
            ("localhost", self.port),
            self.client,
            SECRET,
            read_epoch(self.primary),
            SystemClock(),
            policy="sync",
            wait_s=30.0,
            on_fenced=self.fenced.set,
        )
        shipper.start()
        return shipper

    def write(self, first: int, last: int) -> None:
        """Commit a row at a time, and wait for the standby after each."""
        for number in range(first, last + 1):
            self.disk.execute("insert into answer values (?, randomblob(2000))", (number,))
            self.shipper.stored()

    def rows(self, database: Path) -> list[tuple[int, bytes]]:
        with closing(sqlite3.connect(database)) as disk:
            assert disk.execute("pragma integrity_check").fetchone() == ("ok",)
            return disk.execute("select n, body from answer order by n").fetchall()

    def until(self, condition: Callable[[], object]) -> None:
        done = threading.Event()
        while not condition():
            done.wait(0.01)


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setattr(shipping, "FOLD_FRAMES", 20)
    monkeypatch.setattr(shipping, "AGAIN_S", 0.05)
    made = Pair(tmp_path)
    yield made
    made.shipper.stop()
    made.receiver.stop()
    made.disk.close()


def test_what_was_waited_for_is_on_the_promoted_standby(pair: Pair) -> None:
    """Over many folds of the log, a lost line and a standby started anew, every commit that the standby was waited
    for is in the promoted copy, byte for byte; the old server is then fenced, at once and when it comes back."""
    pair.until(lambda: pair.shipper.state().connected)
    pair.write(1, 120)
    pair.until(lambda: pair.shipper.state().waits)
    pair.receiver.stop()
    pair.until(lambda: not pair.shipper.state().connected)
    pair.write(121, 150)
    assert pair.shipper.state().behind > 0 and not pair.shipper.state().waits
    pair.receiver = pair.listen()
    pair.until(lambda: pair.shipper.state().waits)
    pair.write(151, 200)
    assert pair.shipper.state() == shipping.ShippingState(True, True, 0, "sync", False)
    wanted = pair.rows(pair.primary / DATABASE)
    assert [number for number, _ in wanted] == list(range(1, 201))
    epoch = promote(pair.standby, "钱主考", "主服务器断电")
    assert (epoch.role, epoch.epoch) == ("promoted", 2)
    assert pair.rows(pair.standby / DATABASE) == wanted
    pair.write(201, 201)
    assert pair.fenced.wait(30)
    assert pair.shipper.state().fenced
    refusal = serving_refusal(read_epoch(pair.primary))
    assert refusal is not None and refusal.code == "standby-fenced"
    with pytest.raises(Refused, match="standby-fenced"):
        promoted_elsewhere(("localhost", pair.port), pair.client, Epoch())
    with pytest.raises(Refused, match="standby-none"):
        promote(pair.standby, "钱主考", "again")


def test_shipping_leaves_sqlites_locks_alone(pair: Pair) -> None:
    """Whatever is shipped, folded, looked up or sent whole, another process finds the locks of this one's connections
    held and takes neither the write lock nor the log away, and no file of SQLite that was opened here was closed."""
    database = pair.primary / DATABASE
    log = (pair.primary / f"{DATABASE}-wal").stat().st_ino
    pair.until(lambda: pair.shipper.state().waits)
    assert locks(database) == (True, True, False)
    with opened_beside_sqlite(database) as opened:
        known = set(pair.shipper._descriptors)
        pair.write(1, 60)  # three folds
        pair.receiver.stop()
        pair.until(lambda: not pair.shipper.state().connected)
        pair.disk.execute("pragma wal_checkpoint(passive)").fetchall()
        pair.write(61, 62)
        pair.receiver = pair.listen()
        pair.until(lambda: pair.shipper.state().waits)
        pair.write(63, 64)
        assert locks(database) == (True, True, False)
        pair.disk.execute("begin immediate")
        assert pair.shipper.state().behind == 0
        pair.shipper.stored()
        assert locks(database) == (True, True, True)
        pair.disk.execute("rollback")
        assert sorted(opened) == sorted(set(pair.shipper._descriptors) - known)
    for file, descriptor in pair.shipper._descriptors.items():
        assert os.path.samestat(os.fstat(descriptor), Path(file).stat())
    assert (pair.primary / f"{DATABASE}-wal").stat().st_ino == log
    pair.write(65, 65)
    assert [number for number, _ in pair.rows(database)] == list(range(1, 66))


def test_a_standby_without_a_whole_copy_is_not_promoted(tmp_path: Path) -> None:
    """Refused before the first copy is whole; a standby does not serve."""
    write_epoch(tmp_path, Epoch("standby"))
    assert current_copy(tmp_path) is None
    with pytest.raises(Refused, match="standby-empty"):
        promote(tmp_path, "钱主考", "too early")
    refusal = serving_refusal(read_epoch(tmp_path))
    assert refusal is not None and refusal.code == "standby-not-promoted"


def test_a_silent_line_does_not_keep_the_centre_out(tmp_path: Path) -> None:
    """A centre whose machine lost its power says nothing more and ends no line; the next one is greeted all the
    same."""
    write_epoch(tmp_path, Epoch("standby"))
    tls = ensure_tls(tmp_path / "tls", ("localhost",))
    client = ssl.create_default_context(cafile=str(tls.ca))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tls.certificate, tls.key)
    listener = socket.create_server(("127.0.0.1", 0))
    receiver = Receiver(tmp_path, listener, server, SECRET)
    address = ("127.0.0.1", int(listener.getsockname()[1]))
    receiver.start()
    try:
        with (
            socket.create_connection(address, timeout=30) as plain,
            client.wrap_socket(plain, server_hostname="localhost") as silent,
        ):
            greeting = receive(silent)
            assert isinstance(greeting, Greeting)
            send(silent, Proof(1, proof_mac(SECRET, greeting.nonce, 1)))
            # From what it hears next on the line is silent soon; a slow handshake was no silence.
            assert receiver._line is not None
            assert receiver._line.gettimeout() == receiving.SILENT_S
            receiver._line.settimeout(0.3)
            send(silent, Ping())
            with (
                socket.create_connection(address, timeout=60) as again,
                client.wrap_socket(again, server_hostname="localhost") as line,
            ):
                assert isinstance(receive(line), Greeting)
    finally:
        receiver.stop()


def test_a_stranger_neither_fills_the_memory_nor_holds_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has not proved himself is cut off at a message above 1 KiB, and after the time for the proof although he
    goes on sending; the next one is greeted."""
    proofs: list[threading.Timer] = []

    class Proving(threading.Timer):
        """The time for a proof, over when the test says so."""

        def start(self) -> None:
            assert self.interval == receiving.PROOF_S
            proofs.append(self)

    monkeypatch.setattr(threading, "Timer", Proving)
    write_epoch(tmp_path, Epoch("standby"))
    tls = ensure_tls(tmp_path / "tls", ("localhost",))
    client = ssl.create_default_context(cafile=str(tls.ca))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tls.certificate, tls.key)
    listener = socket.create_server(("127.0.0.1", 0))
    receiver = Receiver(tmp_path, listener, server, SECRET)
    address = ("127.0.0.1", int(listener.getsockname()[1]))
    receiver.start()
    try:
        for large in (True, False, False):
            with (
                socket.create_connection(address, timeout=60) as plain,
                client.wrap_socket(plain, server_hostname="localhost") as line,
            ):
                assert isinstance(receive(line), Greeting)
                line.sendall(struct.pack(">I", MOST_UNPROVED + 1 if large else MOST_UNPROVED))
                if not large:
                    proofs[-1].function(*proofs[-1].args)
                with pytest.raises((ConnectionError, ssl.SSLError)):
                    receive(line)
    finally:
        receiver.stop()


def test_an_interrupted_promotion_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A promotion that a full disk interrupts is finished by the same command, under the epoch that it made, without
    a log of this machine's earlier life."""
    write_epoch(tmp_path, Epoch("standby"))
    copy = tmp_path / COPIES / "1"
    copy.mkdir(parents=True)
    with closing(sqlite3.connect(copy / DATABASE)) as disk, disk:
        disk.execute("create table answer (n integer primary key)")
        disk.execute("insert into answer values (7)")
    (tmp_path / COPIES / CURRENT).write_text("1", encoding="ascii")
    (tmp_path / f"{DATABASE}-wal").write_bytes(b"an earlier life")
    with monkeypatch.context() as full:

        def no_space(*_: object) -> None:
            raise OSError(28, "No space left on device")

        full.setattr("server.standby.receiving.shutil.copyfile", no_space)
        with pytest.raises(OSError, match="No space"):
            promote(tmp_path, "钱主考", "主服务器断电")
    assert read_epoch(tmp_path).role == "promoted" and not (tmp_path / DATABASE).exists()
    assert promote(tmp_path, "孙主考", "again") == Epoch("promoted", 2, "钱主考", "主服务器断电")
    assert not (tmp_path / f"{DATABASE}-wal").exists()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as disk:
        assert disk.execute("select n from answer").fetchall() == [(7,)]
    with pytest.raises(Refused, match="standby-none"):
        promote(tmp_path, "孙主考", "once more")
