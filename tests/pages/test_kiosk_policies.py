"""The kit's managed policies in a real Chromium, which alone sees them: a mount namespace of the test's own."""

import json
import re
import ssl
import subprocess
from pathlib import Path

from kiosk.policies import policies_for
from server.keys.authority import ensure_tls
from tests.conftest import missing_tool
from tests.support.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, chromium_missing, running_centre

_ALONE = """#!/bin/sh
exec unshare -m sh -c 'mount -t tmpfs tmpfs /etc/chromium && mkdir -p /etc/chromium/policies/managed &&
  cp "$0" /etc/chromium/policies/managed/ && exec {browser} "$@"' {policies} "$@"
"""


def test_the_centre_is_trusted_and_the_one_address_there_is(tmp_path: Path) -> None:
    """Under the kit's policies the centre's page opens without any warning or pin, and every other address and files
    are blocked."""
    if chromium_missing():
        missing_tool("Chromium")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        missing_tool("A mount namespace (root)")
    from playwright.sync_api import Error, sync_playwright

    tls = ensure_tls(tmp_path / "centre" / "tls", ())
    with running_centre(tmp_path / "centre", tls) as centre, sync_playwright() as playwright:
        authority = ssl.PEM_cert_to_DER_cert(tls.ca.read_text(encoding="ascii"))
        made = policies_for(centre.url, authority)
        # Nobody can look at a browser without developer tools, not even this test.
        del made["DeveloperToolsAvailability"]
        file = tmp_path / "gongyuan.json"
        file.write_text(json.dumps(made), encoding="utf-8")
        alone = tmp_path / "chromium"
        alone.write_text(_ALONE.format(browser=CHROMIUM, policies=file), encoding="utf-8")
        alone.chmod(0o755)
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=str(alone),
            args=list(ARGUMENTS),
        )
        page = context.pages[0]
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{centre.url}/exam")
        page.wait_for_selector("#code")
        for address in (
            "https://127.0.0.1:1/",
            "http://localhost/",
            "file:///etc/passwd",
        ):
            try:
                page.goto(address)
            except Error as refused:
                assert re.search(r"ERR_BLOCKED_BY_ADMINISTRATOR|chrome-error", str(refused))
            else:  # the browser's own page of the block came up before the driver heard of it
                page.wait_for_function(
                    "document.documentElement.outerHTML.includes('ERR_BLOCKED_BY_ADMINISTRATOR')"
                )
        context.close()
