"""One simulated candidate at one seat: the kiosk's own brain and vault on a blocking websocket under gevent."""

import json
import random
import ssl
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import gevent
import gevent.event
from locust import User, constant, events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from kiosk.brain import Brain, Challenged, Event, PaperReady, Stage
from kiosk.vault import SeatKey, open_paper
from server.protocol import exam
from server.protocol.codec import MOST_TO_KIOSK
from server.protocol.ids import SUBPROTOCOL
from server.protocol.paper import Paper

PATIENCE_S = 60.0
"""Monotonic seconds after which a candidate counts what he waits for as failed."""


def add_arguments(parser: LocustArgumentParser) -> None:
    """Add what a load test needs to know of the centre."""
    parser.add_argument("--guests", help="who may sit where (JSON: seat, key, ticket, id_number)")
    parser.add_argument("--ca", default="", help="certificate of the centre's own authority (PEM)")
    parser.add_argument("--ready", default="", help="file to write when every candidate sits")
    parser.add_argument("--length", type=float, default=20.0, help="seconds to go on once all take part")


events.init_command_line_parser.add_listener(add_arguments)  # type: ignore[no-untyped-call]


def options_of(environment: Environment) -> Namespace:
    """Return the command line's options of a run."""
    options = environment.parsed_options
    if options is None:
        raise RuntimeError("the scenarios are run from locust's command line")
    return cast(Namespace, options)


class Crowd:
    """What the candidates of one run share: free seats, and how many have come so far."""

    def __init__(self) -> None:
        self._free: list[dict[str, str]] | None = None
        self._here = self._done = self._repeating = 0
        self.all_here = gevent.event.Event()
        """Set when as many candidates sit as the run has users."""

    def take(self, environment: Environment) -> dict[str, str]:
        """Take a free seat; IndexError when there are more users than seats."""
        if self._free is None:
            path = Path(options_of(environment).guests)
            self._free = json.loads(path.read_text(encoding="utf-8"))
        return self._free.pop()

    def came(self, environment: Environment) -> None:
        """One more candidate sits."""
        self._here += 1
        options = options_of(environment)
        if self._here >= options.num_users:
            if options.ready:
                Path(options.ready).touch()
            self.all_here.set()

    def repeats(self, environment: Environment) -> None:
        """One more candidate has done once what goes on and on; the run ends `--length` seconds after the last one's
        first time, so that a machine that takes long to seat everybody tries no less."""
        self._repeating += 1
        options = options_of(environment)
        if self._repeating == options.num_users and environment.runner is not None:
            gevent.spawn_later(options.length, environment.runner.quit)

    def went(self, environment: Environment) -> None:
        """One more candidate has done all he came for; the last one ends the run."""
        self._done += 1
        if self._done >= options_of(environment).num_users and environment.runner is not None:
            environment.runner.quit()


CROWD = Crowd()


class Candidate(User):
    """A candidate who comes in, proves the seat, and signs in; subclasses say what then happens."""

    abstract = True
    wait_time = constant(0)
    _repeated = False

    def on_start(self) -> None:
        """Sit down."""
        guest = CROWD.take(self.environment)
        self.brain = Brain(guest["seat"])
        self.paper: Paper | None = None
        self.ended = False
        self.rng = random.Random(guest["seat"])
        self._key = SeatKey.load(bytes.fromhex(guest["key"]))
        self._numbers = guest["ticket"], guest["id_number"]
        self._socket: ClientConnection | None = None
        self.timed("sign in", self.sit)
        CROWD.came(self.environment)

    def on_stop(self) -> None:
        """Leave without a word, as when the machine is switched off."""
        self.drop()

    def sit(self) -> None:
        """Open a line and wait until seated; TimeoutError when it takes too long."""
        options = options_of(self.environment)
        trusted = ssl.create_default_context(cafile=options.ca) if options.ca else None
        self._socket = connect(
            f"{self.host}/ws/candidate",
            ssl=trusted,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            max_size=MOST_TO_KIOSK,
            proxy=None,
            open_timeout=PATIENCE_S,
            ping_interval=None,
            close_timeout=1,
        )
        self.until(lambda: self.brain.stage is Stage.SEATED)

    def drop(self) -> None:
        """Lose the line."""
        if self._socket is not None:
            self._socket.socket.close()
            self._socket = None
        self.brain.line_lost()

    def until(self, condition: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
        """Carry frames both ways until the condition holds."""
        end = time.monotonic() + within_s
        self._send()
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("the centre did not answer in time")
            self.hear(left)

    def hear(self, at_most_s: float) -> None:
        """Take one frame, or none within so many seconds, and send what is due."""
        if self._socket is None:
            raise ConnectionError("there is no line")
        try:
            frame = self._socket.recv(timeout=at_most_s)
        except TimeoutError:
            return
        except ConnectionClosed as error:
            raise ConnectionError(f"the centre closed the line: {error}") from error
        for event in self.brain.receive(frame, time.monotonic()):
            self._take(event)
        self._send()

    def answer(self, number: int) -> None:
        """Answer an item by chance and wait until it is acknowledged."""
        self.brain.answer(number, (self.rng.choice("ABCD"),), time.monotonic())
        self.until(lambda: len(self.brain.outbox) == 0)

    def did_once(self) -> None:
        """Say at the end of a task that goes on and on that it was done."""
        if not self._repeated:
            self._repeated = True
            CROWD.repeats(self.environment)

    def timed(self, name: str, act: Callable[[], Any]) -> None:
        """Do something; report how long it took, or that it failed."""
        begin = time.monotonic()
        try:
            act()
        except Exception as error:
            self.report(name, (time.monotonic() - begin) * 1000, error)
        else:
            self.report(name, (time.monotonic() - begin) * 1000)

    def report(self, name: str, milliseconds: float, error: Exception | None = None) -> None:
        """Report one figure to locust."""
        self.environment.events.request.fire(
            request_type="ws",
            name=name,
            response_time=milliseconds,
            response_length=0,
            exception=error,
            context={},
        )

    def refused(self, message: exam.Refused) -> None:
        """A refusal is a failure, unless the scenario expects it."""
        self.report(f"refused {message.about}", 0.0, RuntimeError(message.code))

    def _take(self, event: Event) -> None:
        match event:
            case Challenged():
                self.brain.prove(self._key.prove(event.nonce, self.brain.seat))
            case exam.Expecting(on=True) if self.brain.seated is None:
                self.brain.sign_in(*self._numbers)
            case PaperReady():
                self.paper = open_paper(event.sealed, event.key)
                self.brain.opened(len(self.paper.items))
            case exam.HandedIn() | exam.Collected():
                self.ended = True
            case exam.Refused():
                self.refused(event)

    def _send(self) -> None:
        if self._socket is not None:
            for frame in self.brain.data_to_send(time.monotonic()):
                self._socket.send(frame, text=True)
