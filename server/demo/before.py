"""Before the exam day: filing, plan, custodians, bank, package, draw; each act by the person whose act it is."""

import asyncio
import json
from datetime import timedelta
from typing import Any

from server.clock import SHANGHAI
from server.demo import cast, people
from server.demo.cast import shanghai
from server.demo.client import Answered
from server.demo.custody import opened
from server.demo.stage import Stage
from server.web.catalogue import say

_CRITERIA = (
    "legal_person", "training_main_work", "leading", "dedicated_organ", "quality_supervisors", "examiners_experts",
    "items", "venue_equipment", "steady_funds", "systems", "not_for_profit", "accepts_supervision",
)  # fmt: skip


async def expect_refusal(stage: Stage, what: str, attempt: Any) -> None:
    """Await something that must be refused, and note the reason; going through would end the demo."""
    try:
        await attempt
    except Answered as refused:
        stage.refusal(what, refused.code, refused.title)
        return
    raise AssertionError(f"{what}: this must be refused, and was not")


async def trust(stage: Stage) -> None:
    """Two people at the centre type the registry's fingerprint from the filing letter."""
    node = await stage.officer("city").get("/api/node")
    entry = {
        "kind": "registry",
        "name": node["name"],
        "signing": node["signing"],
        "receiving": node["receiving"],
        "fingerprint": node["fingerprint"],
        "tls_spki": node["tls_spki"],
        "url": stage.registry.url,
    }
    await stage.staff("admin").post("/api/peers", entry)
    await stage.staff("office").post("/api/peers", entry)


async def file_organisation(stage: Stage) -> None:
    """From application to filing letter, with the seven days of public notice in between."""
    body = {
        "name": cast.ORGANISATION_NAME,
        "credit_code": cast.ORGANISATION,
        "district": "朝阳区",
        "address": "北京市朝阳区演示路1号",
        "representative": "郑演示",
        "occupations": [
            {"code": cast.OCCUPATION[0], "name": cast.OCCUPATION[1], "level": cast.OCCUPATION[2]}
        ],
        "venues": [{"name": cast.PLACE, "address": "北京市朝阳区演示路1号", "seats": 60}],
        "staff": [{"name": "冯军", "role": "examiner"}, {"name": "韩雪", "role": "examiner"}],
        "answers": dict.fromkeys(_CRITERIA, True),
        "materials": ["basic_form", "work_plan"],
    }
    filing = (await stage.officer("organisation").post("/api/filings", body))["id"]
    stage.step("评价机构提交备案申请")
    await stage.officer("district").post(f"/api/filings/{filing}/recommend")
    await stage.officer("city").post(f"/api/filings/{filing}/evaluate")
    await stage.officer("city").post(f"/api/filings/{filing}/notice")
    stage.step("区推荐、市评估通过，开始公示（不少于 7 天）")
    centre = await stage.staff("office").get("/api/node")
    letter = {
        "number": "京技鉴备〔2026〕7号", "kind": "S", "ministry": "0000", "province": "11", "body": "000107",
        "second": "何处", "centre_signing": centre["signing"], "centre_receiving": centre["receiving"],
        "centre_tls": centre["tls_spki"],
    }  # fmt: skip
    await expect_refusal(
        stage, "公示期未满就出具备案函", stage.officer("city").post(f"/api/filings/{filing}/letter", letter)
    )
    stage.clock.jump(shanghai("2026-01-13 09:00"))
    await stage.officer("city").post(f"/api/filings/{filing}/letter", letter)
    await stage.officer("city").post(f"/api/filings/{filing}/publish")
    stage.step("公示期满，市中心出具备案函并公布；函中载明考点密钥指纹")


async def file_plan(stage: Stage) -> None:
    """The batch plan through its dated steps: 20, 15, 12 and 7 days before the first exam day."""
    office = stage.officer("organisation")
    slots = [
        {"subject": "theory", "method": "computer", "starts_at": cast.THEORY.isoformat(),
         "minutes": cast.THEORY_MINUTES, "pass_mark": 60, "total": 100, "place": cast.PLACE},
        {"subject": "practical", "method": "simulation", "starts_at": cast.PRACTICAL.isoformat(),
         "minutes": cast.PRACTICAL_MINUTES, "pass_mark": 60, "total": 100, "place": cast.PLACE},
    ]  # fmt: skip
    body = {
        "short_name": "京东评价", "occupation": cast.OCCUPATION[1], "occupation_code": cast.OCCUPATION[0],
        "level": cast.OCCUPATION[2], "site_district": "朝阳区", "contact": "郑敏 010-00000000",
        "statement": "考生来自社会报名，资格经本机构审核；考务准备就绪。", "slots": slots,
    }  # fmt: skip
    stage.clock.jump(shanghai("2026-02-10 09:00"))
    plan = await office.post("/api/plans", body)
    stage.learnt["plan"], stage.learnt["plan_name"] = plan["id"], plan["name"]
    for slot in plan["slots"]:
        stage.learnt[slot["subject"]] = slot["id"]
    base = f"/api/plans/{plan['id']}"
    await office.post(f"{base}/file")
    stage.step(f"申报批次计划 {plan['name']}（首场考试前 32 天，规定至少 20 天）")
    stage.clock.jump(shanghai("2026-02-11 10:00"))
    await stage.officer("city").post(f"{base}/accept")
    await office.post(f"{base}/confirm")
    stage.step("市中心受理，机构在系统中确认计划")
    everyone = people.candidates(60)
    rows: list[dict[str, Any]] = [
        {"name": one.name, "id_kind": "resident", "id_number": one.id_number, "condition": "满足四级申报条件",
         "committed": True}
        for one in everyone
    ]  # fmt: skip
    stage.clock.jump(shanghai("2026-02-24 09:00"))
    wrong = {
        **rows[0],
        "id_number": rows[0]["id_number"][:-1] + ("0" if rows[0]["id_number"][-1] != "0" else "1"),
    }
    report = await office.post(f"{base}/candidates", {"candidates": [wrong, *rows]})
    (refused,) = report["refused"]
    stage.refusal("身份证校验位不符的报名", refused["reason"]["code"], refused["reason"]["text"])
    by_name = {one.name: one for one in everyone}
    stage.learnt["people"] = {
        one["ticket"]: by_name[one["name"]] for one in report["accepted"] if one["name"] in by_name
    }
    stage.learnt["tickets"] = {one["id"]: one["ticket"] for one in report["accepted"]}
    await office.post(f"{base}/candidates/confirm")
    stage.step(f"{len(report['accepted'])} 名考生资格确认并上传（首场前 18 天，规定至少 12 天）")
    district = stage.officer("district")
    await district.post(f"{base}/spot-check/commitment")
    drawn = await stage.officer("city").post(f"{base}/spot-check/draw")
    await district.post(f"{base}/spot-check/report", {"unqualified": [], "reason": ""})
    stage.step(f"注册区按公平种子抽查 {len(drawn['drawn'])} 人（不低于 30%），全部符合")


async def arrange(stage: Stage) -> None:
    """Rooms, staff, bank root and commitment; then the exam package to the centre."""
    office, base = stage.officer("organisation"), f"/api/plans/{stage.learnt['plan']}"
    stage.clock.jump(shanghai("2026-03-02 09:00"))
    rooms = [{"number": number, "name": f"{number} 考场", "seats": cast.SEATS} for number in cast.ROOMS]
    staff = [
        {"name": name, "role": role, "room": room, "username": username}
        for name, role, room, username in cast.STAFF_ON_DUTY
    ]
    done = await office.post(f"{base}/arrangement", {"rooms": rooms, "staff": staff})
    stage.step(f"导入考场与人员，编排 {done['sittings']} 个座次（首场前 12 天，规定至少 7 天）")
    commitment = (await stage.staff("office").post(f"{base}/commitment"))["commitment"]
    (bank,) = (one for one in await stage.staff("office").get("/api/banks") if one["id"] == cast.BANK)
    await office.post(f"{base}/commitment", {"commitment": commitment})
    await office.post(f"/api/organisations/{cast.ORGANISATION}/bank-root", {"root": bank["root"]})
    package = await stage.officer("city").post(f"{base}/package")
    sealed = await stage.officer("city").download(f"/api/packages/outgoing/{package['id']}")
    changed = bytearray(sealed)
    changed[len(changed) // 2] ^= 1
    await expect_refusal(
        stage, "考务包被改动一个字节", stage.staff("office").post_bytes("/api/packages", bytes(changed))
    )
    await stage.staff("office").post_bytes("/api/packages", sealed)
    stage.step("考务包送达考点：签名、加密、编号均核对无误")
    await expect_refusal(
        stage, "同一考务包再送一次", stage.staff("office").post_bytes("/api/packages", sealed)
    )


async def ceremony(stage: Stage) -> None:
    """Three custodians make the bank's key; two of them open the desk and the bank is imported and sealed."""
    custodians = [
        word
        for name in stage.passphrases
        for word in ("--custodian", f"{name}={stage.centre.staff[name].name}")
    ]
    lines = "".join(f"{name}:{passphrase}\n" for name, passphrase in stage.passphrases.items())
    config = ("--config", str(stage.centre.config))
    await stage.children.command(
        "keys", "ceremony", *custodians, "--bank", cast.BANK, "--passphrases-stdin", *config, stdin=lines
    )
    stage.step("密钥仪式：三名保密员各持一份，任意两人可开启题库")
    alone = f"cai:{stage.passphrases['cai']}\n"
    importing = (
        "items", "import", str(cast.BANK_FILE), "--bank", cast.BANK, "--bank-name", "电工四级题库",
        "--writer", "命题人 秦工", "--reviewer", "审题人 尹工", "--approve", "--passphrases-stdin", *config,
    )  # fmt: skip
    outcome = await stage.children.run(*importing, stdin=alone)
    reason = say("zh", "two-custodians-needed", {"needed": 2})
    if outcome.status == 0 or reason not in outcome.errors:
        raise AssertionError(f"one custodian alone must not open the bank: {outcome.errors}")
    stage.refusal("一名保密员单独开启题库", "two-custodians-needed", reason)
    report = stage.folder / "import.json"
    two = f"{alone}deng:{stage.passphrases['deng']}\n"
    await stage.children.command(*importing, "--report", str(report), stdin=two)
    stage.learnt["import"] = json.loads(report.read_text(encoding="utf-8"))
    stage.step("题库导入并加密封存：两人在场，逐行有结论")


async def draw(stage: Stage) -> None:
    """Two custodians open the draw: papers and marking sheets per candidate, by blueprint and fair seed."""
    stage.clock.jump(shanghai("2026-03-12 15:00"))
    request = {
        "kind": "draw",
        "slot": stage.learnt["theory"],
        "bank": cast.BANK,
        "blueprint": cast.BLUEPRINT_FILE.read_text(encoding="utf-8"),
    }
    custodians = {name: stage.staff(name) for name in stage.passphrases}
    offer = await stage.staff("chief").post("/api/openings", request)
    await expect_refusal(stage, "保密员口令错误", opened(offer, custodians, {"cai": "not this one at all"}))
    two = {name: stage.passphrases[name] for name in ("cai", "xu")}
    progress = await opened(offer, custodians, two)
    stage.learnt["draw"] = progress["outcome"]
    stage.step("抽题启封：按双向细目表一人一卷，试卷与答案册分别密封")


async def until_evening(stage: Stage) -> None:
    """Let a moment pass so that pages can be opened."""
    await asyncio.sleep(0)
    stage.clock.jump(cast.THEORY - timedelta(hours=1))
    stage.step(f"考试日 {cast.THEORY.astimezone(SHANGHAI):%m 月 %d 日} 早晨")
