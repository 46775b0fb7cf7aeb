"""The centre's end: ships every committed frame of SQLite's log, and alone copies the log into the database.

Frames are read from the log file up to what its index says is committed. Nothing may restart the log before it is
shipped, so while a standby is configured no connection checkpoints by itself (`db/engine`); this thread does, under
the write lock and after everything is shipped. A generation that it did not begin means that frames may be missing:
then the whole database goes again.
"""

import logging
import os
import socket
import sqlite3
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server.clock import Clock
from server.errors import GongyuanError, Refusal, Refused
from server.standby.epoch import Epoch, write_epoch
from server.standby.wal import FRAME_HEADER, INDEX_BYTES, WalStand, read_stand
from server.standby.wire import (
    PART,
    Frames,
    Greeting,
    Kept,
    Ping,
    Proof,
    Snapshot,
    proof_mac,
    receive,
    send,
)

FOLD_FRAMES = 4_000
"""Frames after which the log is copied into the database."""
LOOK_S = 0.05
"""Monotonic seconds between two looks at the log without a call."""
PING_S = 1.0
"""Monotonic seconds after which a standby that nothing is sent to is asked whether it is there."""
AGAIN_S = 1.0
"""Monotonic seconds between two tries to reach the standby."""
SILENT_S = 10.0
"""Monotonic seconds for which a standby that is on the line may be silent, or as long as answers wait for it."""
GREETING_S = 15.0
"""Monotonic seconds in which a standby that took the connection says who it is: it hears one line at a time, and a
stranger's for ten seconds."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShippingState:
    """For the board: is the standby on the line, does an acknowledgement wait for it now, frames not there yet."""

    connected: bool
    waits: bool
    behind: int
    policy: str
    fenced: bool


class Shipper:
    """One thread; `stored` is called by the answer writer after each commit."""

    def __init__(
        self,
        database: Path,
        address: tuple[str, int],
        tls: ssl.SSLContext,
        secret: str,
        epoch: Epoch,
        clock: Clock,
        *,
        policy: str,
        wait_s: float,
        on_fenced: Callable[[], None],
    ) -> None:
        self._database = database
        self._address = address
        self._tls = tls
        self._secret = secret
        self._epoch = epoch
        self._clock = clock
        self._policy = policy
        self._wait_s = wait_s
        self._on_fenced = on_fenced
        self._changed = threading.Condition()
        self._connected = self._fenced = self._stopping = False
        self._waits = policy == "sync"
        self._salt = b""
        """The log's generation that is shipped now; `_past` are those before it, `_folded` the last one folded."""
        self._past: set[bytes] = set()
        self._descriptors: dict[str, int] = {}
        self._folded = b""
        self._sent = 0
        """Bytes of the log that were sent; `_kept` are on the standby's disk, in its log or in its database."""
        self._kept = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="standby-shipper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ship what is committed, if the standby is there, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(10)

    def state(self) -> ShippingState:
        """Return how the standby stands."""
        stand = self._stand()
        behind = 0
        if stand is not None and not self._covers(stand):
            kept = self._kept if stand.salt == self._salt else 0
            behind = (stand.end - kept) // (stand.page_size + FRAME_HEADER) or 1
        return ShippingState(self._connected, self._waits, behind, self._policy, self._fenced)

    def stored(self) -> None:
        """Wait until what is committed now is on the standby's disk; give up after `wait_s`, and do not wait again
        before the standby has everything (the board says so). Blocks; for the writer's thread."""
        if self._policy != "sync" or not self._waits:
            return
        target = self._stand()
        if target is None or not target.frames:
            return
        with self._changed:
            self._changed.notify_all()
            there = self._changed.wait_for(lambda: self._covers(target) or not self._waits, self._wait_s)
            if not there:
                self._waits = False
                log.error("the standby did not answer in %s s: acknowledged without it", self._wait_s)

    def _covers(self, target: WalStand) -> bool:
        if target.salt == self._salt:
            return self._kept >= target.end
        # A generation ends only after all of it was shipped.
        return target.salt in self._past or not target.frames

    def _stand(self) -> WalStand | None:
        try:
            return read_stand(os.pread(self._descriptor(f"{self._database}-shm"), INDEX_BYTES, 0))
        except OSError:
            return None

    def _descriptor(self, file: str) -> int:
        """Return a descriptor of one of SQLite's files, which is never closed: to close it would end all locks that
        this process's connections hold on the file (POSIX), and the next process to leave the database, an opening's
        child, would delete the log from under this one.
        """
        found, known = Path(file).stat(), self._descriptors.get(file)
        if known is None or not os.path.samestat(found, os.fstat(known)):
            known = self._descriptors[file] = os.open(file, os.O_RDONLY)
        return known

    def _run(self) -> None:
        while not self._stopping and not self._fenced:
            try:
                with (
                    self._reached() as plain,
                    self._tls.wrap_socket(plain, server_hostname=self._address[0]) as line,
                ):
                    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._talk(line)
            except (OSError, GongyuanError, sqlite3.Error) as error:
                log.warning("the standby is not on the line: %s", error)
            finally:
                with self._changed:
                    self._connected = False
                    self._waits = False
                    self._changed.notify_all()
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._fenced, AGAIN_S)

    def _reached(self) -> socket.socket:
        plain = socket.create_connection(self._address, timeout=SILENT_S)
        plain.settimeout(max(SILENT_S, self._wait_s))
        return plain

    def _talk(self, line: ssl.SSLSocket) -> None:
        greeting = receive(line)
        if not isinstance(greeting, Greeting):
            raise ConnectionError("no greeting")
        if greeting.promoted or greeting.epoch > self._epoch.epoch:
            self._fence(greeting.epoch)
            return
        send(line, Proof(self._epoch.epoch, proof_mac(self._secret, greeting.nonce, self._epoch.epoch)))
        holder = sqlite3.connect(self._database, isolation_level=None, timeout=10, check_same_thread=False)
        folder = sqlite3.connect(self._database, isolation_level=None, timeout=10, check_same_thread=False)
        try:
            for one in (holder, folder):
                one.execute("pragma wal_autocheckpoint=0")
            self._keep_shipping(line, greeting, holder, folder)
        finally:
            holder.close()
            folder.close()

    def _keep_shipping(
        self, line: ssl.SSLSocket, greeting: Greeting, holder: sqlite3.Connection, folder: sqlite3.Connection
    ) -> None:
        stand = self._stand()
        known = stand is not None and bool(greeting.salt) and stand.salt == greeting.salt
        # A log that is wholly in the database may be restarted while it is read: then the whole goes again.
        safe = stand is not None and (stand.backfilled < stand.frames or stand.end == greeting.length)
        if known and safe:
            self._salt, self._sent = greeting.salt, greeting.length
            self._keep(greeting.length)
        else:
            self._send_snapshot(line, holder, folder)
        with self._changed:
            self._connected = True
        said = self._clock.monotonic()
        while True:
            if self._clock.monotonic() - said > PING_S:
                send(line, Ping())
                self._answered(line)
                said = self._clock.monotonic()
            stand = self._stand()
            if stand is not None:
                self._follow(stand)
                self._ship(line, stand)
                if stand.frames > FOLD_FRAMES and stand.backfilled < stand.frames:
                    self._fold(line, holder, folder)
            with self._changed:
                if self._policy == "sync" and not self._waits and stand is not None and self._covers(stand):
                    self._waits = True
                if self._stopping:
                    return
                self._changed.wait(LOOK_S)

    def _follow(self, stand: WalStand) -> None:
        """Take up the generation after a fold; one that nobody folded for was begun by another."""
        if stand.salt == self._salt or not stand.frames:
            return
        if self._folded != self._salt:
            raise ConnectionError("the log was restarted by another")
        with self._changed:
            self._past.add(self._salt)
            self._salt, self._sent, self._kept = stand.salt, 0, 0

    def _keep(self, length: int) -> None:
        with self._changed:
            self._kept = length
            self._changed.notify_all()

    def _ship(self, line: ssl.SSLSocket, stand: WalStand) -> None:
        if stand.salt != self._salt or stand.end <= self._kept:
            return
        file = self._descriptor(f"{self._database}-wal")
        while self._sent < stand.end:
            data = os.pread(file, min(PART, stand.end - self._sent), self._sent)
            whole = self._sent + len(data) == stand.end
            send(line, Frames(self._salt, self._sent, data, whole))
            self._answered(line)
            self._sent += len(data)
        self._keep(stand.end)

    def _answered(self, line: ssl.SSLSocket) -> Kept:
        answer = receive(line)
        if not isinstance(answer, Kept):
            raise ConnectionError("no receipt")
        return answer

    def _fold(self, line: ssl.SSLSocket, holder: sqlite3.Connection, folder: sqlite3.Connection) -> None:
        """Copy the log into the database: most of it while others write, the rest under the write lock."""
        # A reader keeps the log from being restarted before everything in it is shipped.
        holder.execute("begin")
        holder.execute("select count(*) from sqlite_master").fetchone()
        folder.execute("pragma wal_checkpoint(passive)").fetchall()
        holder.execute("rollback")
        self._fold_locked(line, holder, folder)

    def _fold_locked(
        self, line: ssl.SSLSocket | None, holder: sqlite3.Connection, folder: sqlite3.Connection
    ) -> WalStand | None:
        """Fold under the write lock, after shipping the rest; return where the log stood, None when a reader still
        needs it."""
        holder.execute("begin immediate")
        try:
            stand = self._stand()
            if line is not None and stand is not None:
                self._ship(line, stand)
            folder.execute("pragma wal_checkpoint(passive)").fetchall()
            stand = self._stand()
            if stand is None or stand.backfilled < stand.frames:
                return None
            self._folded = stand.salt
            return stand
        finally:
            holder.execute("rollback")

    def _send_snapshot(
        self, line: ssl.SSLSocket, holder: sqlite3.Connection, folder: sqlite3.Connection
    ) -> None:
        """Send the database file as it is when the whole log is in it; it changes at the next fold only."""
        while (stand := self._fold_locked(None, holder, folder)) is None:
            with self._changed:
                self._changed.wait(LOOK_S)
        size, at = self._database.stat().st_size, 0
        file = self._descriptor(str(self._database))
        while at < size:
            data = os.pread(file, min(PART, size - at), at)
            send(line, Snapshot(at, data, at + len(data) >= size))
            at += len(data)
        self._answered(line)
        with self._changed:
            self._past.add(self._salt)
            self._salt, self._sent = stand.salt, 0
        self._keep(stand.end)

    def _fence(self, epoch: int) -> None:
        write_epoch(self._database.parent, Epoch("fenced", epoch))
        log.error("the standby was promoted (epoch %d): this server serves no more", epoch)
        with self._changed:
            self._fenced = True
            self._changed.notify_all()
        self._on_fenced()


def promoted_elsewhere(
    address: tuple[str, int], tls: ssl.SSLContext, epoch: Epoch, wait_s: float = 3.0
) -> None:
    """Ask the standby before serving; Refused `standby-fenced` when it was promoted. Silence is no answer: `wait_s`
    until it is reached, `GREETING_S` from then on."""
    try:
        with socket.create_connection(address, timeout=wait_s) as plain:
            plain.settimeout(GREETING_S)
            with tls.wrap_socket(plain, server_hostname=address[0]) as line:
                greeting = receive(line)
    except (OSError, GongyuanError):
        return
    if isinstance(greeting, Greeting) and (greeting.promoted or greeting.epoch > epoch.epoch):
        raise Refused(Refusal("standby-fenced", facts={"epoch": greeting.epoch}))
