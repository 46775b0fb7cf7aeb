"""`gongyuan proctor calibrate`: a camera's seats from pictures of its room."""

import argparse
from pathlib import Path

from server.errors import BadInput
from server.proctor.calibration import save_setup
from server.proctor.detection import create_detector
from server.proctor.proposals import Numbering, numberings
from server.proctor.stored_calibration import StoredRoom, check_ins, setup_from_pictures

NUMBERINGS = ("rows", "rows-snake", "columns", "columns-snake", "far")


def add(acts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the act."""
    act = acts.add_parser("calibrate", help="propose a camera's seats from pictures of a room that fills")
    act.add_argument("path", type=Path, metavar="PATH", help="film, or folder of pictures in order of name")
    act.add_argument("--camera", required=True, metavar="ID", help="the camera's id as in the settings")
    act.add_argument("--room", required=True, help="the room's number")
    act.add_argument("--seats", required=True, type=int, metavar="N", help="seats are numbered 1 to N")
    act.add_argument("--columns", type=int, metavar="N", help="seats in a row; found where it is left out")
    act.add_argument(
        "--numbering", choices=NUMBERINGS, help="as the camera sees it, from near left; far: from far left"
    )
    act.add_argument("--check-ins", type=Path, metavar="FILE", help="CSV of seat and time of check-in")
    act.add_argument("--empty", type=Path, metavar="PATH", help="film or folder of the empty room")
    act.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="between pictures of a film")
    act.add_argument("--detector", default="yunet", metavar="KEY", help="face detector (default: yunet)")
    act.add_argument("--width", type=int, metavar="PIXELS", help="how wide pictures are made for it")
    act.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="where the set-up is written")
    act.set_defaults(run=_calibrate)


def _calibrate(args: argparse.Namespace) -> int:
    if not 4 <= args.seats <= 400:
        raise BadInput("proposal-no-seats", camera=args.camera)
    seats = tuple(str(number) for number in range(1, args.seats + 1))
    room = StoredRoom(
        camera=args.camera,
        room=args.room,
        seats=seats,
        seated={} if args.check_ins is None else check_ins(args.check_ins, seats),
        known=_known(args.seats, args.columns, args.numbering),
        empty=args.empty,
        every_s=args.every,
    )
    detector = create_detector(args.detector, {} if args.width is None else {"width": float(args.width)})
    setup, made = setup_from_pictures(args.path, room, detector)
    path = save_setup(args.out, setup)
    for one in made.seats:
        print(f"{one.region.seat:>4}  {one.region.sureness:4.0%}  {one.basis.value}")
    unplaced = f", outside the picture: {' '.join(made.unplaced)}" if made.unplaced else ""
    print(f"{len(made.seats)} seats, order {made.order_sureness:.0%} sure{unplaced}: {path}")
    return 0


def _known(seats: int, columns: int | None, numbering: str | None) -> tuple[Numbering, ...]:
    """The numberings that the words leave; all of them without words."""
    found = numberings(seats, columns)
    if numbering is None:
        return found
    by_row, snake = not numbering.startswith("columns"), numbering.endswith("snake")
    near = numbering != "far"
    widths = sorted({one.columns for one in found})
    return tuple(Numbering(width, by_row, True, near, snake) for width in widths)
