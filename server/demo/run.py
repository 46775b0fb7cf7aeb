"""`gongyuan demo`: one exam day from item bank to certificate, acted out through HTTP, websockets and commands."""

import asyncio
import json
from pathlib import Path

from server.demo import after, before, exam_day, summary
from server.demo.client import Person
from server.demo.progress import Progress
from server.demo.stage import Node, Stage, open_doors, set_up


def _addresses(stage: Stage) -> list[tuple[str, str]]:
    registry, centre = stage.registry.url, stage.centre.url
    return [
        ("考生页面", f"{centre}/exam"),
        ("监考总览", f"{centre}/hall"),
        ("保密室", f"{centre}/custody"),
        ("评价机构", f"{registry}/organisation"),
        ("管理机构", f"{registry}/regulator"),
        ("公众查询", f"{registry}/public"),
    ]


def _accounts(node: Node) -> list[tuple[str, str]]:
    members = (node.administrator, *node.staff.values())
    return [(member.name, f"{member.username}  {member.password}") for member in members]


async def _play(stage: Stage, cut_at: float | None) -> None:
    say = stage.progress
    say.title("开门：登记系统与考点服务器（HTTPS，本机自建证书）")
    await asyncio.gather(open_doors(stage, stage.registry), open_doors(stage, stage.centre))
    stage.registry.people["public"] = Person(stage.registry.url, stage.registry.authority)
    await stage.registry.people["public"].get("/api/time")
    say.table(_addresses(stage))
    say.title("演示账号（仅存在于本次演示）")
    say.table([*_accounts(stage.registry), *_accounts(stage.centre)])
    say.title("备案与计划")
    await before.file_organisation(stage)
    await before.trust(stage)
    await before.file_plan(stage)
    say.title("题库与试卷")
    await before.ceremony(stage)
    await before.arrange(stage)
    await before.draw(stage)
    say.title("考试日")
    await exam_day.act(stage, cut_at)
    say.title("阅卷、公示与证书")
    await after.mark(stage)
    await after.practical(stage)
    await after.publish(stage)
    await after.certify(stage)


async def demo(
    folder: Path, speed: float, port: int, report: Path | None, stay: bool, cut_at: float | None
) -> int:
    """Run the day; return 0 when every count closes, 1 otherwise. All children end with it, unless `stay`."""
    stage = set_up(folder, speed, port, Progress())
    try:
        await _play(stage, cut_at)
        found = await summary.gathered(stage)
        stage.progress.title("汇总")
        stage.progress.table(summary.shown(found))
        if report is not None:
            text = json.dumps(found, ensure_ascii=False, indent=1, default=str)
            await asyncio.to_thread(report.write_text, text, encoding="utf-8")
        if stay:
            stage.progress.title("服务器继续运行，按 Ctrl-C 结束")
            stage.progress.table(_addresses(stage))
            await asyncio.Event().wait()
        return 1 if found["open"] else 0
    finally:
        for node in (stage.registry, stage.centre):
            for person in node.people.values():
                await person.close()
        await stage.children.stop_all()
