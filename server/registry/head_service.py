"""Take in the signed journal heads of centres: what a centre's journal said then can be held against it later."""

import hashlib
import json
import uuid

from server.db.act import Act
from server.errors import Refusal, Refused, Tampered
from server.keys.anchors import anchor_bytes, code_of
from server.keys.signing import verify
from server.packages.contents import HeadContent
from server.packages.peers import Peer
from server.registry.models import HeadRow


async def accept_head(act: Act, content: HeadContent, sender: Peer) -> None:
    """Keep a head of a trusted centre. Tampered `head-signature-wrong` when it is not what the centre signed.

    Refused `head-from-the-future` when it is dated more than the day after the registry's own time.
    """
    wrong = Tampered("head-signature-wrong", number=content.number)
    try:
        signed = anchor_bytes(content.number, content.at, content.heads, bytes.fromhex(content.previous))
        verify(sender.keys.signing, bytes.fromhex(content.signature), signed)
    except (Tampered, ValueError) as error:
        raise wrong from error
    if (
        hashlib.sha256(signed).hexdigest() != content.hash
        or code_of(bytes.fromhex(content.hash)) != content.code
    ):
        raise wrong
    if (content.at - act.now).total_seconds() > 86_400:
        raise Refused(Refusal("head-from-the-future", facts={"at": content.at.isoformat()}))
    act.session.add(
        HeadRow(
            id=str(uuid.uuid4()),
            centre=sender.id,
            number=content.number,
            at=content.at,
            received_at=act.now,
            heads=json.dumps(content.heads, sort_keys=True),
            hash=content.hash,
            signature=content.signature,
            code=content.code,
        )
    )
    await act.session.flush()
    await act.record(
        "registry:head:received", {"centre": sender.id, "number": content.number, "code": content.code}
    )
