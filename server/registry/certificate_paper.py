"""The printable certificate: one A4 page as PDF, set by Typst."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import typst

from server.registry.certificate_form import SignedCertificate, qr_svg

_SHEET = Path(__file__).with_name("certificate.typ")


def pdf(document: bytes, labels: Mapping[str, str], fonts: Path) -> bytes:
    """Return the PDF of a signed certificate's JSON bytes.

    `labels` are the printed words by field; `fonts` is a folder with Noto Sans SC, which is used when it is
    there; otherwise a Noto or Source Han font of the system.
    """
    certificate = msgspec.json.decode(document, type=SignedCertificate).certificate
    inputs = {
        "data": msgspec.json.encode(certificate).decode(),
        "labels": msgspec.json.encode(dict(labels)).decode(),
        "qr": qr_svg(document).decode(),
    }
    made: bytes = typst.compile(
        str(_SHEET), font_paths=[str(fonts)] if fonts.is_dir() else [], sys_inputs=inputs
    )
    return made
