"""Does everything a pack names exist? One pure check, run whenever a pack is loaded.

A clock that names no number, a stage at an unknown desk or an article of a document that the header does
not list is a fault of the data, found when the pack is read and never on the day it is needed.
"""

from collections import Counter
from collections.abc import Iterator

import msgspec

from server.law.citing import article_document, is_article
from server.law.pack import DatedNumber, Pack

_CODED = (
    "kinds",
    "desks",
    "procedures",
    "criteria",
    "bars",
    "changes",
    "quotas",
    "reports",
    "yearly",
    "plan_steps",
    "subjects",
    "results",
    "proofs",
    "roles",
    "run_sheet",
    "tiers",
    "violations",
    "scope",
    "escalations",
    "floors",
    "commendations",
    "inspections",
    "lists",
    "terminations",
    "public",
)


def articles_of(entry: object) -> Iterator[str]:
    """Yield every article that an entry and the entries inside it name, in order; repeats included."""
    if isinstance(entry, msgspec.Struct):
        for field in msgspec.structs.fields(entry):
            value = getattr(entry, field.name)
            if field.name == "article" or field.name.endswith("_article"):
                yield value
            else:
                yield from articles_of(value)
    elif isinstance(entry, tuple):
        for item in entry:
            yield from articles_of(item)


def faults(pack: Pack) -> tuple[str, ...]:
    """Return a sentence for each reference of the pack that leads nowhere; empty when the pack is sound."""
    return (
        *_articles(pack),
        *_doubles(pack),
        *_numbers(pack),
        *_desks_kinds_tiers(pack),
        *_grounds(pack),
        *_roles(pack),
        *_values(pack),
    )


def _articles(pack: Pack) -> Iterator[str]:
    documents = {document.id for document in pack.header.documents}
    for article in sorted(set(articles_of(pack))):
        if not is_article(article):
            yield f"article {article!r} is not of the form DOCUMENT:CLAUSE"
        elif article_document(article) not in documents:
            yield f"article {article} is of a document that the header does not list"


def _doubles(pack: Pack) -> Iterator[str]:
    coded: dict[str, list[object]] = {
        "documents": [document.id for document in pack.header.documents],
        "numbers": [(number.name, number.since) for number in pack.numbers],
        "staff": [(rule.role, rule.per) for rule in pack.staff],
        "stars": [star.stars for star in pack.stars],
        "effects": [effect.standing for effect in pack.effects],
        "stages": [(stage.code, stage.kinds) for stage in pack.stages],
        "materials": [(material.code, material.filing, material.kinds) for material in pack.materials],
    }
    for section in _CODED:
        coded[section] = [entry.code for entry in getattr(pack, section)]
    for section, codes in coded.items():
        for code, times in Counter(codes).items():
            if times > 1:
                yield f"{section} has {code} {times} times"


def named_numbers(pack: Pack) -> Iterator[tuple[str, str]]:
    """Yield (which entry, which number) for each number that another entry of the pack names."""
    for stage in (*pack.stages, *(step for procedure in pack.procedures for step in procedure.steps)):
        for clock in stage.clocks:
            yield f"stage {stage.code}", clock.number
    for criterion in pack.criteria:
        if criterion.answer == "number":
            yield f"criterion {criterion.code}", criterion.minimum
    optional = [
        *((f"bar {bar.code}", bar.years) for bar in pack.bars),
        *((f"change {change.code}", change.number) for change in pack.changes),
        *((f"report {report.code}", report.number) for report in pack.reports),
        *((f"subject {subject.code}", subject.within) for subject in pack.subjects),
        *((f"proof {proof.code}", proof.max_age) for proof in pack.proofs),
        *((f"retention {rule.record}", rule.number) for rule in pack.retention),
        *((f"escalation {escalation.code}", escalation.within) for escalation in pack.escalations),
        *((f"floor {floor.code}", name) for floor in pack.floors for name in (floor.idle, floor.people)),
        *(
            (f"commendation {merit.code}", name)
            for merit in pack.commendations
            for name in (merit.years, merit.people_over, merit.certificates_over)
        ),
    ]
    yield from ((where, name) for where, name in optional if name)
    for validity in pack.validity:
        yield "validity", validity.number
        yield "validity", validity.renewal_window
    yield from ((f"quota {quota.code}", quota.number) for quota in pack.quotas)
    yield from ((f"plan step {step.code}", step.number) for step in pack.plan_steps)
    yield from ((f"staff {rule.role}", rule.number) for rule in pack.staff)
    yield from ((f"termination {kind.code}", kind.debarment) for kind in pack.terminations)


def _numbers(pack: Pack) -> Iterator[str]:
    known = {number.name for number in pack.numbers}
    for where, name in named_numbers(pack):
        if name not in known:
            yield f"{where} names the number {name!r}, which the pack does not have"


def _desks_kinds_tiers(pack: Pack) -> Iterator[str]:
    desks = {desk.code for desk in pack.desks}
    kinds = {kind.code for kind in pack.kinds}
    tiers = {tier.code for tier in pack.tiers}
    procedures = {procedure.code for procedure in pack.procedures}
    stages = (*pack.stages, *(step for procedure in pack.procedures for step in procedure.steps))
    for where, desk in (
        *((f"stage {stage.code}", stage.desk) for stage in stages),
        *(("intake", rule.desk) for rule in pack.intake),
        *((f"report {report.code}", report.from_desk) for report in pack.reports),
        *((f"report {report.code}", report.to_desk) for report in pack.reports),
    ):
        if desk and desk not in desks:
            yield f"{where} names the desk {desk!r}, which the pack does not have"
    kinds_named = (
        *(stage.kinds for stage in stages),
        *(criterion.kinds for criterion in pack.criteria),
        *(bar.kinds for bar in pack.bars),
        *(material.kinds for material in pack.materials),
        *(rule.kinds for rule in pack.intake),
        *(validity.kinds for validity in pack.validity),
        *(change.kinds for change in pack.changes),
        *(report.kinds for report in pack.reports),
        *(rule.kinds for rule in pack.scope),
    )
    used = {kind for named in kinds_named for kind in named}
    for kind in sorted((used | {pack.header.default_kind}) - kinds):
        yield f"the kind of body {kind!r} is named, but the pack does not have it"
    named_tiers = {violation.tier for violation in pack.violations}
    named_tiers |= {kind.tier for kind in pack.terminations if kind.tier}
    named_tiers |= {escalation.from_tier for escalation in pack.escalations}
    for tier in sorted(named_tiers - tiers):
        yield f"the tier {tier!r} is named, but the pack does not have it"
    for procedure in sorted({kind.procedure for kind in pack.terminations} - procedures):
        yield f"the procedure {procedure!r} is named, but the pack does not have it"


def _grounds(pack: Pack) -> Iterator[str]:
    grounds = {violation.code for violation in pack.violations}
    named = {escalation.ground for escalation in pack.escalations}
    named |= {floor.ground for floor in pack.floors if floor.ground}
    named |= {star.ground for star in pack.stars if star.ground}
    for ground in sorted(named - grounds):
        yield f"the ground {ground!r} is named, but the catalogue does not have it"


def _roles(pack: Pack) -> Iterator[str]:
    roles = {role.code for role in pack.roles}
    named = {rule.role for rule in pack.staff} | {role for step in pack.run_sheet for role in step.who}
    for role in sorted(named - roles):
        yield f"the role {role!r} is named, but the pack does not have it"


def _values(pack: Pack) -> Iterator[str]:
    for number in pack.numbers:
        yield from _value(number)


def _value(number: DatedNumber) -> Iterator[str]:
    if number.stated and number.amount is None:
        yield f"the number {number.name} has no value; a number that the text leaves open says stated = false"
    if number.amount is not None and number.amount < 0:
        yield f"the number {number.name} is negative"


def articles_at(pack: Pack, path: str) -> frozenset[str]:
    """Return the articles that a pack holds at a path: a section, or `section.code` for one entry of it.

    Empty when this pack has no such entry.
    """
    section, _, code = path.partition(".")
    entries = getattr(pack, section, ())
    if isinstance(entries, tuple) and code:
        entries = tuple(entry for entry in entries if _key(entry) == code)
    return frozenset(articles_of(entries))


def _key(entry: msgspec.Struct) -> str:
    for field in ("code", "name", "role", "record", "standing"):
        if hasattr(entry, field):
            return str(getattr(entry, field))
    return ""
