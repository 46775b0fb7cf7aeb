"""The exam day itself: cameras, kiosks, check-in, seals, bell, what happens in the hall, collection, closing."""

import asyncio
import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import httpx

from server.clock import SHANGHAI
from server.demo import cast, hall
from server.demo.before import expect_refusal
from server.demo.client import Answered
from server.demo.custody import opened
from server.demo.hall import Seated
from server.demo.stage import Stage, start
from server.errors import Unavailable
from server.web.catalogue import say

LOOKED = {"ticket": True, "document": True, "photo": True, "signature": True}
ENROL_WAIT_S = 180.0
LAST_WORDS_S = 30.0
LOOK_S = 0.5


class Kiosks:
    """What the kiosks' process says, gathered while the day goes on."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.refusals: list[dict[str, Any]] = []
        self.finished: dict[str, Any] | None = None
        self.changed = asyncio.Condition()

    async def follow(self, lines: asyncio.StreamReader) -> None:
        """Read event lines until the process ends."""
        while line := await lines.readline():
            event = json.loads(line)
            async with self.changed:
                self.events[event["event"]] += 1
                if event["event"] == "refused":
                    self.refusals.append(event)
                if event["event"] == "finished":
                    self.finished = event
                self.changed.notify_all()

    async def count(self, event: str, number: int, seconds: float) -> None:
        """Wait (real time) until an event was said so often."""
        async with self.changed:
            try:
                async with asyncio.timeout(seconds):
                    await self.changed.wait_for(lambda: self.events[event] >= number)
            except TimeoutError as error:
                said = dict(self.events)
                raise Unavailable("demo-kiosks-late", wanted=event, number=number, said=str(said)) from error


async def seating(stage: Stage) -> list[Seated]:
    """Return everybody with his seat, in order of ticket."""
    rows = await stage.officer("organisation").get(f"/api/plans/{stage.learnt['plan']}/seating")
    theory = [row for row in rows if row["slot"] == stage.learnt["theory"]]
    tickets: dict[str, str] = stage.learnt["tickets"]
    placed = sorted(theory, key=lambda row: tickets[row["candidate"]])
    return [
        Seated(
            position,
            tickets[row["candidate"]],
            stage.learnt["people"][tickets[row["candidate"]]],
            row["room"],
            row["seat"],
        )
        for position, row in enumerate(placed)
    ]


async def _half_minute(stage: Stage) -> None:
    """Go on to the cameras' next picture."""
    stage.clock.jump(stage.clock.now() + timedelta(seconds=31))


async def set_cameras_up(stage: Stage, seated: list[Seated]) -> None:
    """Start the cameras, take the empty rooms' references, and start the centre again with them."""
    script = hall.hall_script(seated, cast.THEORY)
    address = stage.folder / "cameras-address.json"
    child = await stage.children.start(
        "cameras", "demo-cameras", str(hall.write_cameras(stage.folder, script)), str(address)
    )
    for _ in range(int(ENROL_WAIT_S * 20)):
        if address.exists() or child.process.returncode is not None:
            break
        await asyncio.sleep(0.05)
    if not address.exists():
        raise Unavailable("demo-child-not-up", name="cameras", reason=child.last_words())
    url = json.loads(address.read_text(encoding="utf-8"))["url"]
    setups = await hall.calibrate(url, stage.centre.folder / "seats", script, lambda: _half_minute(stage))
    lines = [stage.centre.config.read_text(encoding="utf-8")]
    for room, setup in setups.items():
        source = f"{url}/rooms/{room}/stream.mjpg"
        layout = setup.relative_to(stage.centre.folder)
        lines.append(
            f'\n[[cameras]]\nid = "camera-{room}"\nroom = "{room}"\nsource = "{source}"\n'
            f'kind = "mjpeg"\nlayout = "{layout}"\n'
        )
    stage.centre.config.write_text("".join(lines), encoding="utf-8")
    assert stage.centre.child is not None
    await stage.centre.child.stop()
    await start(stage, stage.centre)
    stage.step("摄像头已标定并接入（演示画面由程序绘制，经真实的画质、人脸与座位判断）")


async def bring_kiosks(stage: Stage, seated: list[Seated]) -> Kiosks:
    """Issue one-time codes, enrol every kiosk with its own, and connect all of them."""
    codes = await stage.staff("tech").post("/api/seats/codes", {"slot": stage.learnt["theory"], "rooms": []})
    by_seat = {(row["room"], row["seat"]): row["code"] for row in codes}
    script = stage.folder / "kiosks.json"
    script.write_text(json.dumps(hall.bots_script(seated, by_seat), ensure_ascii=False), encoding="utf-8")
    stage.learnt["ledger"] = str(stage.folder / "acknowledged.jsonl")
    stage.bots = await stage.children.start(
        "kiosks", "bots", "--server", stage.centre.url.replace("https", "wss"), "--ca", str(stage.centre.authority),
        "--script", str(script), "--ledger", stage.learnt["ledger"], module="kiosk",
    )  # fmt: skip
    kiosks = Kiosks()
    assert stage.bots.process.stdout is not None
    stage.learnt["listening"] = asyncio.create_task(kiosks.follow(stage.bots.process.stdout))
    await kiosks.count("welcome", len(seated), ENROL_WAIT_S)
    stage.step(f"{len(seated)} 台考试机登记座位并连接")
    return kiosks


async def check_in(stage: Stage, seated: list[Seated], kiosks: Kiosks) -> dict[str, Any]:
    """Invigilators check the candidates in, room by room; the sealed papers go to the kiosks."""
    slot = stage.learnt["theory"]
    board = await stage.staff("chief").get(f"/api/hall/slots/{slot}")
    sittings = {seat["ticket"]: seat for seat in board["seats"]}
    absent = next(one.ticket for one in seated if one.position == hall.ABSENT)

    async def at_door(room: str, username: str) -> None:
        for one in seated:
            if one.room == room and one.ticket != absent:
                path = f"/api/hall/sittings/{sittings[one.ticket]['sitting']}/check-in"
                await stage.staff(username).post(path, LOOKED)

    await asyncio.gather(at_door("1", "wang"), at_door("2", "zhou"))
    present = len(seated) - 1
    stage.step(f"监考员核验证件并签到 {present} 人")
    await kiosks.count("sealed", present, ENROL_WAIT_S)
    stage.step(f"{present} 份密封试卷（密文）已送达考试机")
    return sittings


async def ring(stage: Stage, kiosks: Kiosks, present: int) -> None:
    """Show the seals, open the start key under two custodians, and strike the bell at the planned minute."""
    slot, chief = stage.learnt["theory"], stage.staff("chief")
    stage.clock.jump(cast.THEORY - timedelta(minutes=12))
    shown = await chief.post(f"/api/hall/slots/{slot}/seals")
    stage.step(f"当众展示 {shown['papers']} 份试卷密封完好（日志码 {shown['code']}）")
    stage.clock.jump(cast.THEORY - timedelta(minutes=9))
    offer = await chief.post("/api/openings", {"kind": "start", "slot": slot})
    two = {name: stage.passphrases[name] for name in ("deng", "xu")}
    await opened(offer, {name: stage.staff(name) for name in two}, two)
    stage.step("两名保密员启封开考密钥")
    await expect_refusal(stage, "提前打开考铃", chief.post(f"/api/hall/slots/{slot}/bell", {"rooms": []}))
    stage.clock.jump(cast.THEORY)
    stage.clock.go(stage.speed)
    await chief.post(f"/api/hall/slots/{slot}/bell", {"rooms": []})
    await kiosks.count("opened", present, ENROL_WAIT_S)
    stage.step("主考宣布开考，密钥下发，全部考试机解封试卷")


async def tick(stage: Stage, board: dict[str, Any]) -> None:
    """Tick what the run sheet has due, with the second name where a hand-over needs two."""
    slot = stage.learnt["theory"]
    for step in board["steps"]:
        if step["state"] not in ("due", "late"):
            continue
        for room in step["open_rooms"] if step["per_room"] else (None,):
            body = {"room": room, "second": "钱丽" if step["two_names"] else None, "note": ""}
            try:
                await stage.staff("chief").post(f"/api/hall/slots/{slot}/steps/{step['code']}", body)
            except Answered as refused:
                if refused.code != "step-done-already":  # an act has ticked it in the meantime
                    raise


async def _decide(stage: Stage, alert: dict[str, Any], away: Seated) -> None:
    """An invigilator goes and looks: what is so is confirmed (a finding on a candidate by a second one too). What was
    decided already, before the power went, is not decided again."""
    first, second = ("wang", "li") if alert["room"] == cast.ROOMS[0] else ("zhou", "wu")
    true = (
        alert["kind"] == "empty_seat" and (alert["room"], alert["about"]) == (away.room, str(away.seat))
    ) or (alert["kind"] == "extra_person" and alert["room"] == cast.ROOMS[1])
    path = f"/api/hall/alerts/{alert['key']}"
    if not true:
        if alert["state"] == "open":
            await stage.staff(first).post(path, {"act": "dismiss", "note": "到场查看，未见异常"})
        return
    if alert["state"] == "open":
        await stage.staff(first).post(path, {"act": "confirm", "note": "到场查看属实"})
    if alert["needs_second"] and alert["state"] in ("open", "awaiting_second"):
        await stage.staff(second).post(path, {"act": "confirm", "note": "复核属实"})


async def watch(stage: Stage, seated: list[Seated], ends: datetime) -> None:
    """Follow the board until the given time, deciding about findings as they come."""
    slot = stage.learnt["theory"]
    away = next(one for one in seated if one.position == hall.AWAY)
    stage.learnt["alerts"] = {}
    while stage.clock.now() < ends:
        await asyncio.sleep(LOOK_S)
        try:
            board = await stage.staff("chief").get(f"/api/hall/slots/{slot}")
            await tick(stage, board)
            for alert in board["alerts"]:
                if alert["key"] not in stage.learnt["alerts"]:
                    await _decide(stage, alert, away)
                    place = f"{alert['room']} 考场"
                    finding = say("zh", f"anomaly-{alert['kind']}", {"seat": alert["about"]})
                    stage.step(f"摄像头线索：{place}，{finding}；监考员到场核实")
                stage.learnt["alerts"][alert["key"]] = alert
        except httpx.TransportError:
            continue  # the server is down, with an answer on the way perhaps: people look again


async def incidents_of_the_hour(stage: Stage, sittings: dict[str, Any], seated: list[Seated]) -> None:
    """Mark the absentee, move one candidate to the seat that stays free, and answer a call."""
    slot = stage.learnt["theory"]
    absent = next(one for one in seated if one.position == hall.ABSENT)
    moved = next(one for one in seated if one.position == hall.MOVED)
    await stage.clock.until(cast.THEORY + timedelta(minutes=31))
    path = f"/api/hall/sittings/{sittings[absent.ticket]['sitting']}/absent"
    await stage.staff("zhou").post(path, {"reason": "开考 30 分钟未到场"})
    stage.step(f"{absent.room} 考场 {absent.seat} 号缺考，记入考场情况")
    for call in await stage.staff("chief").get(f"/api/hall/slots/{slot}/calls"):
        await stage.staff("deputy").delete(f"/api/hall/slots/{slot}/calls/{call['id']}")
        stage.step(f"{call['room']} 考场 {call['seat']} 号呼叫监考员：{call['text']}；已到场")
    await stage.clock.until(cast.THEORY + timedelta(minutes=hall.MOVE_AT))
    await stage.staff("deputy").post(
        f"/api/hall/sittings/{sittings[moved.ticket]['sitting']}/reseat",
        {"room": absent.room, "seat": absent.seat, "reason": "键盘故障"},
    )
    stage.step(
        f"{moved.room} 考场 {moved.seat} 号因键盘故障换到 {absent.room} 考场 {absent.seat} 号，作答随行"
    )


async def power_cut(stage: Stage, minute: float) -> None:
    """Kill the centre as a power cut would and start it again: nobody has to open anything."""
    await stage.clock.until(cast.THEORY + timedelta(minutes=minute))
    assert stage.centre.child is not None
    await stage.centre.child.kill()
    stage.step("断电：考点服务器进程被强行终止（kill -9）")
    await start(stage, stage.centre)
    stage.step("考点服务器重新启动，考试机自动重连，无需保密员到场")


async def _last_words(stage: Stage) -> None:
    """Wait for the kiosks to end by themselves; one whose seat was taken over by a person's browser is told to."""
    try:
        async with asyncio.timeout(LAST_WORDS_S):
            await asyncio.shield(stage.learnt["listening"])
    except TimeoutError:
        assert stage.bots is not None
        assert stage.bots.process.stdin is not None
        stage.bots.process.stdin.write(b'{"stop": true}\n')
        await stage.bots.process.stdin.drain()
        await stage.learnt["listening"]


async def close(stage: Stage, kiosks: Kiosks) -> None:
    """After the end: papers are collected, rooms recorded and signed, the slot closes with closed counts."""
    slot = stage.learnt["theory"]
    await stage.clock.until(cast.THEORY + timedelta(minutes=cast.THEORY_MINUTES + 1))
    await _last_words(stage)
    stage.clock.go(1.0)
    stage.learnt["kiosks"] = {"events": dict(kiosks.events), "finished": kiosks.finished}
    stage.step("考试结束，停止作答，自动收卷")
    for room, first, second in (("1", "wang", "李强"), ("2", "zhou", "吴磊")):
        record = await stage.staff(first).post(f"/api/hall/slots/{slot}/rooms/{room}/record")
        await stage.staff(first).post(f"/api/hall/records/{record['id']}/sign", {"second": second})
    await stage.staff("chief").post(f"/api/hall/slots/{slot}/close")
    stage.step("两个考场的考场记录签字，人数与卷数平衡，场次关闭")


async def act(stage: Stage, cut_at: float | None) -> None:
    """Play the exam day."""
    seated = await seating(stage)
    stage.clock.jump(cast.THEORY - timedelta(minutes=60))
    await set_cameras_up(stage, seated)
    await stage.staff("chief").post(f"/api/hall/slots/{stage.learnt['theory']}/prepare")
    kiosks = await bring_kiosks(stage, seated)
    stage.clock.jump(cast.THEORY - timedelta(minutes=25))
    sittings = await check_in(stage, seated, kiosks)
    await ring(stage, kiosks, len(seated) - 1)
    ends = cast.THEORY + timedelta(minutes=cast.THEORY_MINUTES)
    acts = [watch(stage, seated, ends), incidents_of_the_hour(stage, sittings, seated)]
    if cut_at is not None:
        acts.append(power_cut(stage, cut_at))
    await asyncio.gather(*acts)
    await close(stage, kiosks)
    for refusal in kiosks.refusals:
        if refusal["about"] == "hand_in":
            at = datetime.fromisoformat(refusal["at"]).astimezone(SHANGHAI)
            what = f"{refusal['seat']} 号 {at:%H:%M} 交卷"
            stage.refusal(what, refusal["code"], say("zh", refusal["code"], refusal["facts"]))
