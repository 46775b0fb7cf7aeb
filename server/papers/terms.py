"""Whether a draw may be made: the rules between plan, slot, bank and blueprint."""

from server.errors import Refusal
from server.itembank.blueprint import Blueprint
from server.law.citing import cites


def blueprint_refusal(
    blueprint: Blueprint, occupation: str, level: int, minutes: int, total: float, pass_mark: float
) -> Refusal | None:
    """Refuse a blueprint that is not the one of this slot: occupation, level, minutes, total and pass
    mark."""
    asked = {
        "occupation": (blueprint.occupation, occupation),
        "level": (blueprint.level, str(level)),
        "minutes": (blueprint.minutes, minutes),
        "total": (blueprint.total, float(total)),
        "pass_mark": (float(blueprint.pass_mark), float(pass_mark)),
    }
    for field, (given, wanted) in asked.items():
        if given != wanted:
            return Refusal(
                "blueprint-differs-from-slot",
                facts={"field": field, "blueprint": str(given), "slot": str(wanted)},
            )
    return None


@cites("BJ-E:18")
def terms_refusal(own: str, named: str, root: bytes, named_root: bytes) -> Refusal | None:
    """Refuse a draw whose commitment (hex) or bank root is not the one that the exam package names
    (BJ-E:18)."""
    if own != named:
        return Refusal("commitment-differs", facts={"own": own, "package": named})
    if root != named_root:
        return Refusal("bank-root-differs", "BJ-E:18", {"bank": root.hex(), "package": named_root.hex()})
    return None
