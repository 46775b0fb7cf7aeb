"""The manifest: every inner file of a package by name and SHA-256, bound into the signed header by its own
hash."""

import hashlib
import hmac
from collections.abc import Mapping

import rfc8785

from server.errors import Refusal

CONTENT_FILE = "content.json"
MANIFEST_FILE = "manifest.json"


def manifest_bytes(files: Mapping[str, bytes]) -> bytes:
    """Return the canonical JSON of file name to hex SHA-256, the manifest itself left out."""
    return rfc8785.dumps(
        {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != MANIFEST_FILE}
    )


def manifest_refusal(files: Mapping[str, bytes], signed_hash: str) -> Refusal | None:
    """Say whether the inner files are those that the sender signed.

    `package-manifest` when the manifest is missing or not the signed one, `package-inner-file` with the name
    when a file was changed, swapped, added or left out.
    """
    manifest = files.get(MANIFEST_FILE)
    if manifest is None or not hmac.compare_digest(hashlib.sha256(manifest).hexdigest(), signed_hash):
        return Refusal("package-manifest")
    if manifest == manifest_bytes(files) and CONTENT_FILE in files:
        return None
    return Refusal("package-inner-file", facts={"file": _differing(files, manifest)})


def _differing(files: Mapping[str, bytes], manifest: bytes) -> str:
    text = manifest.decode("utf-8", "replace")
    for name in sorted(files):
        if name != MANIFEST_FILE and f'"{name}":"{hashlib.sha256(files[name]).hexdigest()}"' not in text:
            return name
    return CONTENT_FILE if CONTENT_FILE not in files else MANIFEST_FILE
