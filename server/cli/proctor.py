"""`gongyuan proctor`: run the camera stages over stored pictures, measure them, and draw a hall."""

import argparse
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from server.cli import proctor_calibrate, proctor_recordings
from server.errors import BadInput
from server.proctor import evaluation, rehearsal
from server.proctor.detection import create_detector
from server.proctor.simulation import HallDrawing, script_from_json


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the group."""
    group = commands.add_parser("proctor", help="analyse camera pictures, measure detectors, draw a hall")
    acts = group.add_subparsers(title="acts", required=True, metavar="ACT")
    _add_analyse(acts)
    _add_evaluate(acts)
    _add_simulate(acts)
    _add_rehearse(acts)
    proctor_calibrate.add(acts)
    proctor_recordings.add(acts)


def _detector(act: argparse.ArgumentParser) -> None:
    act.add_argument("--detector", default="yunet", metavar="KEY", help="face detector (default: yunet)")
    act.add_argument(
        "--width", type=int, metavar="PIXELS", help="how wide pictures are made before detection"
    )


def _options(args: argparse.Namespace) -> dict[str, float]:
    return {} if args.width is None else {"width": float(args.width)}


def _add_analyse(acts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    act = acts.add_parser("analyse", help="tell what every stage says of a video or a folder of pictures")
    act.add_argument(
        "path", type=Path, metavar="PATH", help="video file, or folder of pictures in order of name"
    )
    act.add_argument(
        "--seats", type=Path, metavar="FILE", help="the camera's set-up: seats and empty references"
    )
    act.add_argument(
        "--every", type=float, default=1.0, metavar="SECONDS", help="interval of samples (default: 1)"
    )
    act.add_argument(
        "--json", type=Path, metavar="OUT", help="write one JSON line a sample here, not to the terminal"
    )
    _detector(act)
    act.set_defaults(run=_analyse)


def _analyse(args: argparse.Namespace) -> int:
    lines = evaluation.analyse(args.path, args.seats, args.detector, _options(args), args.every)
    if args.json is None:
        for line in lines:
            print(json.dumps(line, ensure_ascii=False))
        return 0
    count = raised = 0
    with args.json.open("w", encoding="utf-8") as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
            raised += len(line["raised"])
    print(f"{count} samples, {raised} anomalies, detector {args.detector}: {args.json}")
    return 0


def _add_evaluate(acts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    act = acts.add_parser("evaluate", help="measure faces and seats against a labelled manifest")
    act.add_argument(
        "manifest", type=Path, metavar="MANIFEST", help="JSON list of labelled pictures and clips"
    )
    act.add_argument("--most", type=int, metavar="N", help="only the first N pictures")
    _detector(act)
    act.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace) -> int:
    print(evaluation.report(evaluation.evaluate(args.manifest, args.detector, _options(args), args.most)))
    return 0


def _add_simulate(acts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    act = acts.add_parser("simulate", help="draw a labelled room as pictures, truth and camera set-up")
    act.add_argument(
        "folder", type=Path, metavar="FOLDER", help="where pictures, truth.jsonl and the set-up go"
    )
    act.add_argument(
        "--script", type=Path, metavar="FILE", help="what happens (JSON); without it a random hour"
    )
    act.add_argument("--room", default="1", help="the room to draw (default: 1)")
    act.add_argument("--seats", type=int, default=30, help="seats of the room (default: 30, the most)")
    act.add_argument("--seed", type=int, default=1, help="the same seed draws the same room (default: 1)")
    act.add_argument(
        "--start", type=datetime.fromisoformat, metavar="TIME", help="first picture, ISO with zone"
    )
    act.add_argument("--minutes", type=float, default=10.0, help="how long (default: 10)")
    act.add_argument(
        "--step", type=float, default=3.0, metavar="SECONDS", help="between pictures (default: 3)"
    )
    act.set_defaults(run=_simulate)


def _simulate(args: argparse.Namespace) -> int:
    start = args.start or datetime(2026, 1, 5, 1, 0, tzinfo=UTC)
    if start.tzinfo is None:
        raise BadInput("simulation-wrong", reason="--start needs a time zone")
    start = start.astimezone(UTC)
    try:
        if args.script is None:
            script = rehearsal.random_rehearsal(args.room, args.seats, args.seed, start, args.minutes).script
        else:
            script = script_from_json(args.script.read_bytes())
        hall = HallDrawing([args.room], args.seats, args.seed, script)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise BadInput("simulation-wrong", reason=str(error)) from error
    end = start + timedelta(minutes=args.minutes)
    count = rehearsal.write_simulation(args.folder, hall, args.room, start, end, args.step)
    print(f"{count} pictures: {args.folder}")
    return 0


def _add_rehearse(acts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    act = acts.add_parser("rehearse", help="play random days in the drawn hall through all stages and count")
    act.add_argument("--rooms", type=int, default=1, help="how many rooms, each of another seed (default: 1)")
    act.add_argument("--minutes", type=float, default=30.0, help="how long each (default: 30)")
    act.add_argument(
        "--step", type=float, default=3.0, metavar="SECONDS", help="between pictures (default: 3)"
    )
    act.add_argument("--seed", type=int, default=1, help="seed of the first room (default: 1)")
    _detector(act)
    act.set_defaults(run=_rehearse)


def _rehearse(args: argparse.Namespace) -> int:
    detector = create_detector(args.detector, {"width": 1280.0, **_options(args)})
    score = rehearsal.RehearsalScore()
    start = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)
    for seed in range(args.seed, args.seed + args.rooms):
        script = rehearsal.random_rehearsal("1", 30, seed, start, args.minutes)
        rehearsal.rehearse(script, 30, seed, detector, args.step, score)
    print(rehearsal.report(score))
    for alarm in score.false_alarms:
        print(f"  false: {alarm}")
    return 0
