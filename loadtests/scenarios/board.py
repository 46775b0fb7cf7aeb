"""Board fan-out: as many boards as candidates watch the hall, and each sees every answer that is saved."""

import json
import ssl
import time
from pathlib import Path

import msgspec
from locust import constant_pacing, task
from websockets.sync.client import ClientConnection, connect

from loadtests.scenarios.candidate import PATIENCE_S, Candidate, options_of
from server.protocol.board import Change, Ended, Snapshot, Watch, applied, decode_to_board

ITEM = 100
SLOT = "slot"


class BoardFanOut(Candidate):
    """Answers an item and clears it in turn; reports how long it takes until a board of its own shows it."""

    wait_time = constant_pacing(2)
    answered = False

    def on_start(self) -> None:
        """Sit down, and open a board beside."""
        super().on_start()
        self._say(())
        options = options_of(self.environment)
        login = json.loads(Path(options.guests).with_name("board.json").read_text(encoding="utf-8"))
        self._board: ClientConnection = connect(
            f"{self.host}/ws/hall",
            ssl=ssl.create_default_context(cafile=options.ca) if options.ca else None,
            additional_headers={"Cookie": f"{login['cookie']}={login['token']}"},
            compression=None,
            max_size=None,
            proxy=None,
            open_timeout=PATIENCE_S,
            close_timeout=1,
        )
        self._board.send(msgspec.json.encode(Watch(slot=SLOT)), text=True)
        self._shown: Snapshot | None = None
        self.timed("board shows the hall", self._first)

    def on_stop(self) -> None:
        """Leave both."""
        self._board.socket.close()
        super().on_stop()

    @task
    def show(self) -> None:
        """Answer, or clear; see it on the board."""
        before = self._count()
        self.answered = not self.answered
        self._say((self.rng.choice("ABCD"),) if self.answered else ())
        self.timed("board shows an answer", lambda: self._until_other_than(before))
        self.did_once()

    def _say(self, value: tuple[str, ...]) -> None:
        self.brain.answer(ITEM, value, time.monotonic())
        self.until(lambda: len(self.brain.outbox) == 0)

    def _first(self) -> None:
        while self._shown is None:
            self._look(PATIENCE_S)

    def _until_other_than(self, count: int) -> None:
        end = time.monotonic() + PATIENCE_S
        while self._count() == count:
            self._look(end - time.monotonic())

    def _count(self) -> int:
        sitting = self.brain.seated.sitting if self.brain.seated is not None else ""
        seats = self._shown.seats if self._shown is not None else ()
        return next((seat.answered for seat in seats if seat.sitting == sitting), -1)

    def _look(self, at_most_s: float) -> None:
        match decode_to_board(self._board.recv(timeout=at_most_s)):
            case Snapshot() as snapshot:
                self._shown = snapshot
            case Change() as change if self._shown is not None:
                self._shown = applied(self._shown, change)
            case Ended() as ended:
                raise ConnectionError(f"the board was ended: {ended.code}")
