"""What Chromium may do on an exam machine: managed policies and flags. Pure."""

import base64
from collections.abc import Mapping
from urllib.parse import urlsplit

from server.errors import BadInput

EXPORTS = "/var/lib/gongyuan-kiosk/export"
"""Where the one download there is (sealed journals, for the technician) lands without asking."""

_SAME: Mapping[str, object] = {
    "URLBlocklist": ["*", "chrome://*", "file://*"],
    "DeveloperToolsAvailability": 2,
    "IncognitoModeAvailability": 1,
    "BrowserGuestModeEnabled": False,
    "BrowserAddPersonEnabled": False,
    "BrowserSignin": 0,
    "SyncDisabled": True,
    "AllowDeletingBrowserHistory": False,
    "PasswordManagerEnabled": False,
    "AutofillAddressEnabled": False,
    "AutofillCreditCardEnabled": False,
    "TranslateEnabled": False,
    "SpellcheckEnabled": False,
    "SearchSuggestEnabled": False,
    "DefaultSearchProviderEnabled": False,
    "PrintingEnabled": False,
    "PromptForDownloadLocation": False,
    "DownloadDirectory": EXPORTS,
    "AllowFileSelectionDialogs": False,
    "ExtensionInstallBlocklist": ["*"],
    "DefaultPopupsSetting": 2,
    "DefaultNotificationsSetting": 2,
    "DefaultGeolocationSetting": 2,
    "DefaultWebUsbGuardSetting": 2,
    "DefaultWebBluetoothGuardSetting": 2,
    "VideoCaptureAllowed": False,
    "AudioCaptureAllowed": False,
    "ScreenCaptureAllowed": False,
    "EditBookmarksEnabled": False,
    "BookmarkBarEnabled": False,
    "BackgroundModeEnabled": False,
    "MetricsReportingEnabled": False,
    "ComponentUpdatesEnabled": False,
    "NetworkPredictionOptions": 2,
    "DnsOverHttpsMode": "off",
    "PromotionsEnabled": False,
    "CommandLineFlagSecurityWarningsEnabled": False,
}
"""The browser's data is never cleared: the seat's key and unconfirmed answers live there."""


def policies_for(address: str, authority: bytes, standby: str = "") -> dict[str, object]:
    """Return Chromium's managed policies for a centre's addresses and certificate authority (DER)."""
    allowed: list[str] = []
    for one in (address, standby) if standby else (address,):
        host = urlsplit(one)
        if host.scheme != "https" or not host.hostname:
            raise BadInput("kit-address", address=one)
        allowed += [f"https://{host.hostname}:{host.port or 443}", f"blob:{one.rstrip('/')}/*"]
    return {
        **_SAME,
        "URLAllowlist": allowed,
        "CACertificates": [base64.b64encode(authority).decode()],
    }


def flags_for(pin: str, profile: str) -> tuple[str, ...]:
    """Return Chromium's flags: whole screen, one profile that stays, and the server's key (SHA-256, hex) taken as
    pinned whatever name it is reached by.
    """
    return (
        "--kiosk",
        f"--user-data-dir={profile}",
        f"--ignore-certificate-errors-spki-list={base64.b64encode(bytes.fromhex(pin)).decode()}",
        "--no-first-run",
        "--no-default-browser-check",
        "--hide-crash-restore-bubble",
        "--noerrdialogs",
        "--disable-pinch",
        "--overscroll-history-navigation=0",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--no-proxy-server",
        "--password-store=basic",
        "--lang=zh-CN",
    )
