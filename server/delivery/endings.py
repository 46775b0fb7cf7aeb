"""A paper comes in: by hand-in or by collection, in the same form, in one transaction with its journal
record.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from server.db.journal import Journal
from server.delivery.facts import Ending
from server.delivery.models import AnswerRow, EndingRow, SittingRow
from server.delivery.sitting import State
from server.delivery.store import of_this_paper, value_of
from server.protocol.envelope import answered_count, answers_digest, hand_in_bytes, receipt_code
from server.protocol.paper import AnswerValue

Sign = Callable[[bytes], bytes]
"""The node's Ed25519 signature, 64 bytes."""


def standing(connection: Connection, sitting: str) -> dict[int, AnswerValue]:
    """Return the answers that stand for a sitting, by item number, cleared ones included."""
    rows = connection.execute(
        select(AnswerRow.number, AnswerRow.value).where(AnswerRow.sitting == sitting, of_this_paper())
    )
    return {number: value_of(value) for number, value in rows}


def end_sitting(
    connection: Connection,
    journal: Journal,
    sign: Sign,
    sitting: str,
    state: State,
    at: datetime,
    actor: str,
    answers: dict[int, AnswerValue],
) -> Ending:
    """Write the ending of an opened sitting (`state` is HANDED_IN or COLLECTED) and return it with its
    receipt.

    The caller holds the sitting's row and has stepped its state. The receipt signs sitting, time, count and
    hash of the final answers and the journal head, which is the record of this very ending.
    """
    count, digest = answered_count(answers), answers_digest(answers)
    head = journal.append_sync(
        connection,
        at,
        f"delivery:sitting:{state.value}",
        actor,
        {"sitting": sitting, "count": count, "answers": digest},
    )
    head_text = f"{head.chain}:{head.seq}:{head.hash.hex()}"
    signed = hand_in_bytes(sitting, at, count, digest, head_text)
    ending = Ending(sitting, state.value, at, count, digest, head_text, receipt_code(signed), sign(signed))
    connection.execute(
        insert(EndingRow).values(
            sitting=sitting,
            how=ending.how,
            at=at,
            count=count,
            digest=digest,
            head=head_text,
            code=ending.code,
            signature=ending.signature,
        )
    )
    connection.execute(
        update(SittingRow).where(SittingRow.id == sitting).values(state=state.value, ended_at=at)
    )
    return ending
