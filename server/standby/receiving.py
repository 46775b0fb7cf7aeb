"""The standby's end: a copy of the centre's database and log, on the disk before it says so.

Each snapshot has a folder of its own under `<data>/copies`; `current` names the newest that is whole, so that a line
lost half-way through a snapshot leaves the copy before it as it was.
"""

import fcntl
import logging
import os
import secrets
import shutil
import socket
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from server.errors import GongyuanError, Refusal, Refused
from server.standby.epoch import Epoch, promoted, read_epoch, write_epoch
from server.standby.wire import (
    MOST_UNPROVED,
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

COPIES, CURRENT, DATABASE = "copies", "current", "gongyuan.db"
TAKING_LOCK, FINISHING_LOCK = "standby.lock", "promotion.lock"
SILENT_S = 60.0
"""Monotonic seconds after which a silent line is let go: the centre asks every second. One whose machine lost its
power never ends by itself, and the centre could not come back behind it."""

PROOF_S = 10.0
"""Monotonic seconds in which a line must have proved that it is the centre's."""

log = logging.getLogger(__name__)


class Copy:
    """One copy of the centre's database: `salt` and `length` say how much of the log lies beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.salt, self.length = b"", 0
        self._database, self._log = folder / DATABASE, folder / f"{DATABASE}-wal"
        self._part = folder / "log.part"
        self._whole = True

    def snapshot(self, part: Snapshot) -> None:
        """Write one part of the database file."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _append(self._database, part.at, part.data, synced=part.last)

    def frames(self, frames: Frames) -> None:
        """Write frames of the log. A log that lies over a newer database, as after a snapshot, counts only when it is
        whole: its beginning alone would take pages back."""
        if frames.salt != self.salt:
            if self.salt:
                self._fold()
            self.salt, self.length, self._whole = frames.salt, 0, False
            self._part.unlink(missing_ok=True)
        if frames.at != self.length:
            raise ConnectionError("frames are missing")
        _append(self._log if self._whole else self._part, frames.at, frames.data, synced=True)
        self.length += len(frames.data)
        if frames.whole and not self._whole:
            self._part.replace(self._log)
            _sync_folder(self.folder)
            self._whole = True

    def _fold(self) -> None:
        fold(self._database)


def fold(database: Path) -> None:
    """Copy a log into its database, and leave none."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma synchronous=full")
        busy, _, _ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        if busy:
            raise ConnectionError("the copy is in use")
    database.with_name(f"{database.name}-wal").unlink(missing_ok=True)


def _append(path: Path, at: int, data: bytes, *, synced: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, data, at)
        if synced:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end(line: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(
            line, socket.SHUT_RDWR
        )  # TLS's own would take the object from under its reader


@contextmanager
def taking(folder: Path, name: str = TAKING_LOCK) -> Iterator[None]:
    """Hold the standby's lock: nothing is taken while it is promoted, and what was said to be kept is promoted."""
    with (folder / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Receiver:
    """Listens for the centre. Once promoted it only tells whoever asks that it was."""

    def __init__(
        self,
        folder: Path,
        listener: socket.socket,
        tls: ssl.SSLContext,
        secret: str,
    ) -> None:
        self._folder, self._listener, self._tls, self._secret = folder, listener, tls, secret
        self._copy: Copy | None = None
        """The copy that the next line may go on with; none after a start, so that a torn one is never built on."""
        self._stopping = False
        self._line: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="standby-receiver", daemon=True)

    def start(self) -> None:
        """Listen in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End the line and the thread."""
        self._stopping = True
        for one in (self._listener, self._line):
            if one is not None:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        self._listener.close()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopping:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            try:
                plain.settimeout(SILENT_S)
                with self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as line:
                    self._line = line
                    # However slowly a stranger speaks, the centre's line waits behind him for so long at most.
                    proved = threading.Timer(PROOF_S, _end, (line,))
                    proved.daemon = True
                    proved.start()
                    try:
                        line.do_handshake()
                        self._serve(line, proved)
                    finally:
                        proved.cancel()
            except (OSError, GongyuanError, sqlite3.Error) as error:
                log.warning("the line of the centre ended: %s", error)
            finally:
                plain.close()

    def _serve(self, line: ssl.SSLSocket, proved: threading.Timer) -> None:
        epoch = read_epoch(self._folder)
        copy, nonce = self._copy, secrets.token_bytes(32)
        salt, length = (copy.salt, copy.length) if copy is not None else (b"", 0)
        send(line, Greeting(epoch.epoch, epoch.role == "promoted", salt, length, nonce))
        proof = receive(line, MOST_UNPROVED)
        right = isinstance(proof, Proof) and proof_mac(self._secret, nonce, proof.epoch)
        if not isinstance(proof, Proof) or not secrets.compare_digest(right or b"", proof.mac):
            raise ConnectionError("not the centre")
        proved.cancel()
        if epoch.role != "standby" or proof.epoch < epoch.epoch:
            return
        coming: Copy | None = None
        while True:
            message = receive(line)
            with taking(self._folder):
                if read_epoch(self._folder).role != "standby":
                    return
                coming = self._take(message, coming)
            if not isinstance(message, Snapshot) or message.last:
                send(line, Kept())

    def _take(self, message: object, coming: Copy | None) -> Copy | None:
        if isinstance(message, Snapshot):
            coming = self._begun(coming, message)
            if message.last:
                self._copy = coming
                self._make_current(coming)
        elif isinstance(message, Frames) and self._copy is not None:
            self._copy.frames(message)
        elif isinstance(message, Ping):
            return coming
        else:
            raise ConnectionError("not in order")
        return coming

    def _begun(self, coming: Copy | None, part: Snapshot) -> Copy:
        if part.at == 0 or coming is None:
            numbers = [int(path.name) for path in (self._folder / COPIES).glob("[0-9]*")]
            coming = Copy(self._folder / COPIES / str(1 + max(numbers, default=0)))
        coming.snapshot(part)
        return coming

    def _make_current(self, copy: Copy) -> None:
        """Name the newest whole copy, and let the older ones go."""
        folder = self._folder / COPIES
        temporary = folder / f"{CURRENT}.new"
        with temporary.open("w", encoding="ascii") as out:
            out.write(copy.folder.name)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(folder / CURRENT)
        _sync_folder(folder)
        for path in folder.glob("[0-9]*"):
            if path != copy.folder:
                shutil.rmtree(path, ignore_errors=True)


def current_copy(folder: Path) -> Path | None:
    """Return the database of the newest whole copy, or None."""
    named = folder / COPIES / CURRENT
    if not named.exists():
        return None
    path = folder / COPIES / named.read_text(encoding="ascii") / DATABASE
    return path if path.exists() else None


def promote(folder: Path, by: str, reason: str) -> Epoch:
    """Make this standby the centre: its newest whole copy becomes the database, under a new epoch.

    Refused `standby-none` elsewhere than on a standby, `standby-empty` before a first copy was whole. A promotion that
    was interrupted is finished, under its own name and epoch.
    """
    following = read_epoch(folder)
    if following.role != "promoted" or current_copy(folder) is None:
        promoted(following, by, reason)
        # From here on the receiver takes nothing more: what the old server still acknowledges would be lost.
        with taking(folder):
            following = promoted(read_epoch(folder), by, reason)
            if current_copy(folder) is None:
                raise Refused(Refusal("standby-empty"))
            write_epoch(folder, following)
    finish_promotion(folder)
    return following


def finish_promotion(folder: Path) -> None:
    """Make the promoted copy the database, unless it is already; to be called before a promoted machine serves."""
    with taking(folder, FINISHING_LOCK):
        copy = current_copy(folder)
        if copy is None:
            return
        fold(copy)
        target = folder / DATABASE
        temporary = target.with_suffix(".new")
        shutil.copyfile(copy, temporary)
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        # A log of an earlier life of this machine is none of this database's.
        for end in ("-wal", "-shm"):
            target.with_name(f"{DATABASE}{end}").unlink(missing_ok=True)
        temporary.replace(target)
        _sync_folder(folder)
        (folder / COPIES / CURRENT).unlink()
        _sync_folder(folder / COPIES)
