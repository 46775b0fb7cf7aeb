"""What Safe Exam Browser and the centre both compute: the Config Key of settings, and the hashes of a request.

The Config Key is the SHA-256 of the settings in one fixed text (keys sorted without regard to case at every depth,
no white space, nothing escaped, binary data as base64, `originatorVersion` and empty dictionaries left out). With
every request the browser sends the SHA-256 of the absolute address it asks for, without fragment, followed by the
key as hexadecimal text; the Browser Exam Key, which only the browser can compute, is sent the same way.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import urldefrag

CONFIG_KEY_HEADER = "x-safeexambrowser-configkeyhash"
BROWSER_KEY_HEADER = "x-safeexambrowser-requesthash"
_LEFT_OUT = "originatorVersion"


def config_key(settings: Mapping[str, object]) -> str:
    """Return the Config Key of settings as a property list holds them; 64 hexadecimal digits.

    ValueError for a value of a kind that the key does not define: dates, and None.
    """
    return hashlib.sha256(canonical_text(settings).encode()).hexdigest()


def canonical_text(settings: Mapping[str, object]) -> str:
    """Return the text that the Config Key is the hash of."""
    return _text({key: value for key, value in settings.items() if key != _LEFT_OUT})


def request_hash(url: str, key: str) -> str:
    """Return what the browser sends for an address and a key of 64 hexadecimal digits."""
    return hashlib.sha256((urldefrag(url).url + key).encode()).hexdigest()


def sent_for(sent: str, url: str, keys: Iterable[str]) -> bool:
    """Tell whether what was sent is the hash of this address with one of the keys."""
    got = sent.strip().lower().encode()
    found = False
    for key in keys:
        found |= hmac.compare_digest(got, request_hash(url, key).encode())
    return found


def _text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return f'"{value}"'
        case bytes():
            return f'"{base64.b64encode(value).decode()}"'
        case list() | tuple():
            return "[" + ",".join(_text(one) for one in value) + "]"
        case dict():
            kept = {key: one for key, one in value.items() if one != {}}
            return "{" + ",".join(f'"{key}":{_text(kept[key])}' for key in sorted(kept, key=_order)) + "}"
        case datetime() | None:
            raise ValueError("dates and missing values have no place in a Config Key")
    raise ValueError(f"no Config Key for a {type(value).__name__}")


def _order(key: str) -> tuple[str, str]:
    # On a tie the lower case comes first.
    return key.casefold(), key.swapcase()
