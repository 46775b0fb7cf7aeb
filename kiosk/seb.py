"""Safe Exam Browser's side of the kit: its settings for a centre, and .seb files.

A .seb file is gzip( prefix + body ): `plnd` with a gzipped property list, or `pswd` (exam) and `pwcc` (client
configuration) with a gzipped property list under a password. Some tools write the bare property list; that is read
too, and never written. The Config Key does not depend on the encryption.
"""

import base64
import gzip
import hashlib
import plistlib
import zlib
from collections.abc import Mapping
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

from kiosk.vault import password_opened, password_sealed
from server.errors import BadInput, NotPermitted

_LARGEST = 16 << 20
"""Bytes of a settings file, unpacked: a packed bomb stops here."""
_GZIP = b"\x1f\x8b"
_UNDER_PASSWORD = (b"pswd", b"pwcc")

LOCKED: Mapping[str, object] = {
    "sebConfigPurpose": 0,
    "allowPreferencesWindow": False,
    "ignoreExitKeys": True,
    "browserViewMode": 1,
    "mainBrowserWindowWidth": "100%",
    "mainBrowserWindowHeight": "100%",
    "enableBrowserWindowToolbar": False,
    "hideBrowserWindowToolbar": True,
    "showMenuBar": False,
    "showTaskBar": True,
    "showInputLanguage": True,
    "showTime": False,
    "allowSpellCheck": False,
    "allowDictionaryLookup": False,
    "newBrowserWindowByLinkPolicy": 0,
    "newBrowserWindowByScriptPolicy": 0,
    "allowBrowsingBackForward": False,
    "browserWindowAllowReload": True,
    "showReloadWarning": True,
    "allowVideoCapture": False,
    "allowAudioCapture": False,
    "allowDownUploads": False,
    "downloadPDFFiles": False,
    "sendBrowserExamKey": True,
    "browserURLSalt": True,
    "removeBrowserProfile": False,
    "removeLocalStorage": False,
    "examSessionClearCookiesOnStart": False,
    "examSessionClearCookiesOnEnd": False,
    "monitorProcesses": True,
    "allowSwitchToApplications": False,
    "allowVirtualMachine": False,
    "allowScreenSharing": False,
    "enablePrivateClipboard": True,
    "createNewDesktop": True,
    "killExplorerShell": False,
    "allowWlan": False,
    "allowSiri": False,
    "allowDictation": False,
    "allowDisplayMirroring": False,
    "allowedDisplaysMaxNumber": 1,
    "hookKeys": True,
    "enableEsc": False,
    "enableCtrlEsc": False,
    "enableAltEsc": False,
    "enableAltTab": False,
    "enableAltF4": False,
    "enableStartMenu": False,
    "enableRightMouse": False,
    "enablePrintScreen": False,
    "enableF12": False,
    "proxySettingsPolicy": 0,
    "urlFilterRegex": False,
    "URLFilterEnable": True,
    "URLFilterEnableContentFilter": True,
    "pinEmbeddedCertificates": False,
}
"""What is the same at every centre. The browser's data stays: the seat's key and unconfirmed answers live there.

No dates and no empty or repeated entries: Safe Exam Browser for Windows and for macOS would not agree on the key.
"""


def settings_for(address: str, authority: bytes, quit_password: str, salt: bytes) -> dict[str, object]:
    """Return the settings of a centre's seats: `address` as https://host:port, its certificate authority (DER), the
    password that ends the browser (empty: nobody can), and 32 random bytes that make this kit's key its own.
    """
    host = urlsplit(address)
    if host.scheme != "https" or not host.hostname:
        raise BadInput("kit-address", address=address)
    return {
        **LOCKED,
        "originatorVersion": "gongyuan",
        "startURL": f"{address.rstrip('/')}/exam",
        "allowQuit": bool(quit_password),
        "hashedQuitPassword": hashlib.sha256(quit_password.encode()).hexdigest() if quit_password else "",
        "examKeySalt": salt,
        "URLFilterRules": [
            {
                "active": True,
                "regex": False,
                "action": 1,
                "expression": f"{host.hostname}:{host.port or 443}/*",
            }
        ],
        "embeddedCertificates": [
            {
                "certificateDataBase64": base64.b64encode(authority).decode(),
                "name": "gongyuan",
                "type": 2,
            }
        ],
    }


def seb_file(settings: Mapping[str, object], password: str = "") -> bytes:
    """Return settings as a .seb file, under a password where one is given."""
    body = gzip.compress(plistlib.dumps(dict(settings)), mtime=0)
    body = b"pswd" + password_sealed(body, password) if password else b"plnd" + body
    return gzip.compress(body, mtime=0)


def read_seb(data: bytes, password: str = "") -> dict[str, object]:
    """Read the settings of a .seb file of any of the forms.

    BadInput `seb-file-form`; NotPermitted `seb-password-needed`; Tampered `seb-password-wrong`.
    """
    body = _unpacked(data)
    prefix, rest = body[:4], body[4:]
    if prefix in _UNDER_PASSWORD:
        if not password:
            raise NotPermitted("seb-password-needed")
        body = _unpacked(password_opened(rest, password))
    elif prefix == b"plnd":
        body = _unpacked(rest)
    try:
        found = plistlib.loads(body.removeprefix(b"\xef\xbb\xbf").lstrip())
    except (plistlib.InvalidFileException, ExpatError, ValueError, RecursionError) as error:
        raise BadInput("seb-file-form") from error
    if not isinstance(found, dict):
        raise BadInput("seb-file-form")
    return found


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(_GZIP):
        return data
    unpacker = zlib.decompressobj(wbits=31)
    try:
        body = unpacker.decompress(data, _LARGEST)
    except zlib.error as error:
        raise BadInput("seb-file-form") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise BadInput("seb-file-form")
    return body
