#!/usr/bin/env bash
# What the distribution must give. `run`: what the programme needs; `test`: what the tests need as well.
# As root it installs; as an ordinary user it says the one line to type (run: stops; test: those tests skip).
set -eu
stage=$1
python=$2

install() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # A lock held by another package run is waited for, up to five minutes.
    apt-get -o DPkg::Lock::Timeout=300 -qq update >/dev/null || true
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq install -y --no-install-recommends "$@" >/dev/null
  else
    return 1
  fi
}

if ! "$python" -c 'import cv2' 2>/dev/null; then
  install libgl1 libglib2.0-0 || {
    "$python" -c 'import cv2' 2>&1 | tail -n 1 >&2 || true
    echo "OpenCV needs system libraries (Debian's names): sudo apt-get install -y libgl1 libglib2.0-0   (then run make again)" >&2
    exit 1
  }
  "$python" -c 'import cv2'
fi
[ "$stage" = test ] || exit 0

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v ip >/dev/null || missing+=(iproute2)
# A real RTSP server, which encodes (ugly) and parses (bad) H.264, and fonts with every Chinese character.
for package in fonts-noto-cjk gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-rtsp \
  gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  install "${missing[@]}" || echo "Tests that need these packages (Debian's names) are skipped until you type:
  sudo apt-get install -y ${missing[*]}" >&2
fi
