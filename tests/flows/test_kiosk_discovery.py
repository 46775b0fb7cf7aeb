"""Finding a centre by multicast, in network namespaces of the test's own."""

import shutil
import subprocess
import sys
from pathlib import Path

from server.keys.authority import ensure_tls
from tests.conftest import missing_tool

ROOT = Path(__file__).resolve().parents[2]

_CENTRE = """
import asyncio, ssl, sys
from server.cli.announcing import announced
async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[1], sys.argv[2])
    server = await asyncio.start_server(lambda reader, writer: None, "10.99.0.1", 8443, ssl=tls)
    async with server:
        await server.serve_forever()
with announced("测试考点", "0.0.0.0", 8443, sys.argv[3]):
    print("announced", flush=True)
    asyncio.run(main())
"""

_NETWORK = """
set -eu
ip link set lo up
unshare -n sleep 600 & kiosk=$!
centre=
trap 'kill $kiosk $centre 2>/dev/null || true' EXIT
until [ "$(readlink /proc/$kiosk/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link add centre0 type veth peer name kiosk0
ip link set kiosk0 netns $kiosk
ip addr add 10.99.0.1/24 dev centre0
ip link set centre0 up
ip route add 224.0.0.0/4 dev centre0
nsenter -t $kiosk -n sh -c 'ip link set lo up; ip addr add 10.99.0.2/24 dev kiosk0; ip link set kiosk0 up
  ip route add 224.0.0.0/4 dev kiosk0'
"$1" -c "$2" "$3" "$4" "$5" > "$6" & centre=$!
until grep -q announced "$6"; do kill -0 $centre; done
# Whoever finds nothing in the four seconds of a slow machine looks again.
until nsenter -t $kiosk -n "$1" -m kiosk find --pin "$5"; do kill -0 $centre; done
nsenter -t $kiosk -n "$1" -m kiosk find --pin "$7" && exit 9
echo "another pin: $?"
"""


def test_a_seat_finds_the_pinned_centre_by_multicast(tmp_path: Path) -> None:
    """Across a link between two namespaces the seat finds the centre that has its pin, and none for another pin."""
    permitted = shutil.which("ip") and shutil.which("unshare") and shutil.which("nsenter")
    if not permitted or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        missing_tool("A network namespace (root, iproute2)")
    tls = ensure_tls(tmp_path / "tls", ())
    words = [sys.executable, _CENTRE, tls.certificate, tls.key, tls.spki, tmp_path / "out", "00" * 32]
    done = subprocess.run(
        ["unshare", "-n", "bash", "-c", _NETWORK, "network", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.stdout.splitlines() == ["https://10.99.0.1:8443", tls.spki, "another pin: 1"], done.stderr
    assert "No centre was found" in done.stderr
