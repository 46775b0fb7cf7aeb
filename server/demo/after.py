"""After the exam: marking, the practical subject, notice, results, certificates."""

import json
import random
from datetime import timedelta
from typing import Any

from server.demo import cast, hall
from server.demo.before import expect_refusal
from server.demo.cast import shanghai
from server.demo.custody import opened
from server.demo.stage import Stage

FORM = (
    ("safety", "安全操作", 20),
    ("wiring", "电路接线", 40),
    ("test", "通电调试", 25),
    ("record", "记录与整理", 15),
)


async def mark(stage: Stage) -> None:
    """Two custodians open the marking sheets; the papers are scored in the child."""
    stage.clock.jump(cast.THEORY + timedelta(hours=6))
    slot = stage.learnt["theory"]
    offer = await stage.staff("chief").post("/api/openings", {"kind": "marking", "slot": slot})
    two = {name: stage.passphrases[name] for name in ("cai", "deng")}
    progress = await opened(offer, {name: stage.staff(name) for name in two}, two)
    stage.learnt["marking"] = progress["outcome"]
    stage.step("两名保密员启封答案册，理论试卷自动评分")


def _scores(ability: float, number: int, examiner: str) -> dict[str, float]:
    rng = random.Random(f"{number}-{examiner}")
    skill = min(1.0, 0.35 + 0.6 * ability + rng.uniform(-0.03, 0.03))
    return {code: float(round(most * skill)) for code, _title, most in FORM}


async def practical(stage: Stage) -> None:
    """Two examiners enter their sub-scores for every candidate, within a month of the theory."""
    slot = stage.learnt["practical"]
    stage.clock.jump(cast.PRACTICAL + timedelta(hours=4))
    form = {
        "items": [{"code": code, "title": title, "most": most} for code, title, most in FORM],
        "spread": 10,
    }
    await stage.staff("office").post(f"/api/practical/{slot}/form", form)
    scripts = (await stage.staff("feng").get(f"/api/practical/{slot}"))["candidates"]
    for number, script in enumerate(scripts):
        person = stage.learnt["people"][script["ticket"]]
        absent = number == hall.ABSENT
        for examiner in ("feng", "han"):
            scores = {} if absent else _scores(person.ability, number, examiner)
            body = {"scores": scores, "absent": absent, "reason": ""}
            await stage.staff(examiner).post(f"/api/practical/{slot}/{script['candidate']}", body)
    stage.step(f"操作技能考核：两名考评员按评分表录入 {len(scripts)} 人")


async def publish(stage: Stage) -> None:
    """The notice to the registry, its seven full days, and the result package after them."""
    plan, office = stage.learnt["plan"], stage.staff("office")
    stage.clock.jump(shanghai("2026-04-01 10:00"))
    await office.post(f"/api/plans/{plan}/notice")
    sent = await office.post("/api/packages/send")
    stage.step(f"成绩公示包送达登记系统（{_delivered(sent)} 份），公示 7 天：4 月 1 日至 8 日 24 时")
    visitor = stage.registry.people["public"]
    notice = await visitor.get(f"/api/notices/{plan}")
    stage.learnt["notice_rows"] = len(notice["rows"])
    stage.clock.jump(shanghai("2026-04-08 23:30"))
    await _refused_result(stage, "公示期未满上传结果")
    stage.clock.jump(shanghai("2026-04-09 09:00"))
    package = (await office.post(f"/api/plans/{plan}/result", {"held": {}}))["package"]
    await office.post("/api/packages/send")
    stage.step("公示无异议，认定结果上传（公示结束后 7 天内）")
    again = await office.download(f"/api/packages/outgoing/{package}")
    await expect_refusal(stage, "同一结果包再次上传", visitor.post_bytes("/api/packages", again))


async def _refused_result(stage: Stage, what: str) -> None:
    office = stage.staff("office")
    made = await office.post(f"/api/plans/{stage.learnt['plan']}/result", {"held": {}})
    early = await office.download(f"/api/packages/outgoing/{made['package']}")
    await expect_refusal(stage, what, stage.registry.people["public"].post_bytes("/api/packages", early))


def _delivered(sent: list[dict[str, Any]]) -> int:
    return sum(1 for one in sent if not one.get("error"))


async def certify(stage: Stage) -> None:
    """Numbers, filing, issue; a certificate is looked up by the public and verified offline."""
    plan = stage.learnt["plan"]
    await stage.officer("organisation").post(f"/api/plans/{plan}/certificates")
    await stage.officer("city").post(f"/api/plans/{plan}/certificates/issue")
    issued = (await stage.officer("city").get(f"/api/plans/{plan}/certificates"))["certificates"]
    stage.learnt["certificates"] = issued
    stage.step(f"生成证书编号并备案，签发 {len(issued)} 份证书")
    one = issued[0]
    visitor = stage.registry.people["public"]
    check = await visitor.get("/api/certificates/check", number=one["number"], name=one["name"])
    file = stage.folder / f"{one['number']}.json"
    file.write_text(check["document"], encoding="utf-8")
    key = (await visitor.get("/api/node"))["signing"]
    said = await stage.children.command("certificate", "verify", str(file), "--registry-key", key)
    stage.learnt["verified"] = said.splitlines()[0]
    changed = stage.folder / "changed.json"
    other = check["document"].replace(json.dumps(one["name"], ensure_ascii=False), '"某某"')
    changed.write_text(other, encoding="utf-8")
    outcome = await stage.children.run("certificate", "verify", str(changed), "--registry-key", key)
    if outcome.status == 0 or other == check["document"]:
        raise AssertionError("a changed certificate must not verify")
    stage.refusal("改动姓名的证书离线验证", "certificate-signature-wrong", outcome.errors.splitlines()[0])
    stage.step(f"证书 {one['number']} 公众查询一致，离线验证通过")
