"""Cameras found by ONVIF: a simulated device in a network namespace of its own, and what strangers may not do."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server.proctor.onvif import Stream, advised, parsed, probe_match, without_account
from tests.conftest import missing_tool

ROOT = Path(__file__).resolve().parents[2]
MATCH = (
    '<e><d:ProbeMatch xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><d:Scopes>a '
    "onvif://www.onvif.org/name/Front</d:Scopes><d:XAddrs>{}</d:XAddrs></d:ProbeMatch></e>"
)


def test_a_camera_is_found_and_asked_and_a_stranger_is_not() -> None:
    """In a network of its own the camera gives its streams to the right password only, and one that names another's
    address is left out.
    """
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        missing_tool("unshare or ip")
    if subprocess.run(("unshare", "-Urn", "true"), capture_output=True).returncode:
        missing_tool("permission to make a network namespace")
    command = ("unshare", "-Urn", sys.executable, "-m", "tests.support.onvif_device")
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    (camera,) = said["found"]
    assert (camera["host"], camera["name"], camera["reason"]) == ("10.77.0.2", "Hall camera", "")
    assert [one["profile"] for one in camera["streams"]] == ["main", "sub", "small"]
    assert camera["streams"][1]["address"] == "rtsp://10.77.0.2/sub"
    assert said["advised"] == "sub"
    assert said["wrong"][0]["streams"] == []
    assert said["wrong"][0]["reason"] == "HTTP 401"
    assert said["sent_password"] is False


def test_answers_of_strangers_are_bounded() -> None:
    """A document type, an endless answer, what is no XML, and an address elsewhere are refused."""
    for bad in (b"<!DOCTYPE a><a/>", b"<a>" + b"x" * 300_000 + b"</a>", b"no xml", b"<a>\x00</a>"):
        with pytest.raises(ValueError, match="answer"):
            parsed(bad)
        assert probe_match(bad, "10.0.0.2") is None
    elsewhere = MATCH.format("http://10.0.0.9/onvif ftp://10.0.0.2/ http://10.0.0.2:99999/").encode()
    assert probe_match(elsewhere, "10.0.0.2") is None
    own = MATCH.format("http://10.0.0.9/onvif http://10.0.0.2/onvif").encode()
    assert probe_match(own, "10.0.0.2") == ("http://10.0.0.2/onvif", "Front")


def test_the_stream_nearest_to_what_is_needed_is_advised() -> None:
    """Of H.264 streams the largest up to 1280 x 720 is advised, a larger one only where no smaller is, none of none."""

    def stream(width: int, height: int, encoding: str = "H264") -> Stream:
        return Stream(f"{width}", width, height, encoding, "rtsp://a/")

    small, fit, large = stream(640, 360), stream(1280, 720), stream(3840, 2160)
    assert advised((large, small, fit)) == fit
    assert advised((large, small)) == small
    assert advised((large, stream(1280, 720, "H265"))) == large
    assert advised(()) is None
    assert without_account("rtsp://u:p@10.0.0.2:554/x?y=1") == "rtsp://10.0.0.2:554/x?y=1"
