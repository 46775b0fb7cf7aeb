"""What the demo ends with: counts that close, everything that was refused, and the same as JSON."""

from collections import Counter
from typing import Any

from server.demo.stage import Stage
from server.web.catalogue import say

RESULTS = (("passed", "合格"), ("failed", "不合格"), ("absent", "缺考"), ("cheated", "舞弊"))


async def gathered(stage: Stage) -> dict[str, Any]:
    """Ask both servers for their counts and put the report together; `open` names every count that does not close."""
    plan = stage.learnt["plan"]
    centre = await stage.staff("office").get(f"/api/plans/{plan}/counts")
    registry = await stage.officer("city").get(f"/api/plans/{plan}/counts")
    health = await stage.staff("tech").get("/api/technician/health")
    certificates = [one for one in stage.learnt["certificates"] if one["state"] == "issued"]
    found = [f"{gap['code']}: {gap['left']} ≠ {gap['right']}" for gap in centre["gaps"]]
    if registry["gap"] is not None:
        found.append(registry["gap"]["text"])
    if registry["uploaded"] + registry["held"] != registry["published"]:
        found.append(
            f"uploaded {registry['uploaded']} + held {registry['held']} ≠ published {registry['published']}"
        )
    if len(certificates) != registry["passed"]:
        found.append(f"certificates {len(certificates)} ≠ passed {registry['passed']}")
    journals = {node.role: await _journal(stage, node.config) for node in (stage.registry, stage.centre)}
    found.extend(
        f"journal of the {role}: {words}"
        for role, words in journals.items()
        if not words.endswith(" 0 faults")
    )
    alerts = stage.learnt["alerts"].values()
    for kind in ("empty_seat", "extra_person"):
        if not any(alert["kind"] == kind for alert in alerts):
            found.append(f"no {kind} in the feed")
    return {
        "plan": stage.learnt["plan_name"],
        "slots": centre["counts"]["slots"],
        "centre": centre["counts"]["total"],
        "registry": registry,
        "certificates": len(certificates),
        "kiosks": stage.learnt["kiosks"],
        "alerts": [_alert(alert) for alert in alerts],
        "detector": health["detectors"],
        "refused": stage.refused,
        "journals": journals,
        "open": found,
    }


def _alert(alert: dict[str, Any]) -> dict[str, Any]:
    return {
        name: alert[name]
        for name in ("room", "about", "kind", "score", "state", "opened_at", "ended_at", "picture")
    }


def _cameras(report: dict[str, Any]) -> str:
    states = Counter(alert["state"] for alert in report["alerts"])
    words = "、".join(
        f"{say('zh', f'alert-state-{state}')} {count}" for state, count in sorted(states.items())
    )
    return f"线索 {len(report['alerts'])} 条（{words}）；人脸检测器 {', '.join(report['detector'])}"


async def _journal(stage: Stage, config: Any) -> str:
    outcome = await stage.children.run("journal", "verify", "--config", str(config))
    return outcome.output.splitlines()[-1] if outcome.output else outcome.errors.strip()


def shown(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the report as the rows of a table."""
    rows: list[tuple[str, str]] = []
    for slot in report["slots"]:
        name = {"theory": "理论", "practical": "技能", "review": "评审"}[slot["subject"]]
        rows.append((name, f"应考 {slot['enrolled']} = 实考 {slot['present']} + 缺考 {slot['absent']}"))
        if slot["drawn"] is not None:
            rows.append(
                (
                    "  试卷",
                    f"抽取 {slot['drawn']} = 启封 {slot['opened']} + 未启封退回 {slot['returned_unopened']}"
                    f" + 备用未用 {slot['spare_unused']}",
                )
            )
            rows.append(
                (
                    "  收卷",
                    f"实考 {slot['present']} = 交卷 {slot['handed_in']} + 收卷 {slot['collected']}"
                    f" + 作废 {slot['voided']}；评分 {slot['scored']}；换座 {slot['moves']}",
                )
            )
    registry = report["registry"]
    results = " + ".join(f"{words} {registry[code]}" for code, words in RESULTS)
    rows.append(("公示", f"{registry['published']} = {results}"))
    rows.append(
        ("上传", f"{registry['published']} = 已上传 {registry['uploaded']} + 暂缓 {registry['held']}")
    )
    rows.append(("证书", f"{report['certificates']} 份 = 合格 {registry['passed']} 人"))
    rows.append(("摄像头", _cameras(report)))
    rows.append(("依规拒绝", f"{len(report['refused'])} 次，均说明理由"))
    rows.extend((f"日志 {role}", words) for role, words in report["journals"].items())
    rows.append(("未平衡", "无" if not report["open"] else "；".join(report["open"])))
    return rows
