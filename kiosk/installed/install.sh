#!/usr/bin/env bash
# Makes this Debian machine an exam machine of @NAME@ (@ADDRESS@). Run as root, in the kit's folder.
# 把本机（Debian）装成考试机：以 root 身份在安装包文件夹中运行。
set -eu
cd "$(dirname "$0")"
[ "$(id -u)" = 0 ] || { echo "请以 root 身份运行 / run as root" >&2; exit 1; }

# Browser, fonts, display, and the input method for Chinese. Without a line to the distribution's packages these must be there.
packages=(chromium fonts-noto-cjk fontconfig python3-venv xserver-xorg xinit openbox
  fcitx5 fcitx5-chinese-addons fcitx5-frontend-gtk3)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
fi

id gongyuan-kiosk >/dev/null 2>&1 ||
  useradd --system --create-home --home-dir /var/lib/gongyuan-kiosk --shell /usr/sbin/nologin gongyuan-kiosk
install -d -o gongyuan-kiosk -g gongyuan-kiosk -m 0700 /var/lib/gongyuan-kiosk @EXPORTS@

# The launcher: from the kit's own folder of wheels, without asking the network. It belongs to root, so that the
# user under which the browser runs cannot change it.
launcher=/var/lib/gongyuan-launcher
if [ -d wheels ]; then
  [ -x "$launcher/bin/python" ] || python3 -m venv "$launcher"
  "$launcher/bin/python" -m pip install --quiet --no-index --find-links wheels gongyuan
fi
[ -x "$launcher/bin/gongyuan" ] || { echo "没有启动器：请把 wheels 文件夹放进安装包 / no launcher: put wheels into the kit" >&2; exit 1; }

install -d /etc/gongyuan-kiosk /etc/chromium/policies/managed
install -m 0644 kiosk.toml ca.pem session.sh /etc/gongyuan-kiosk/
install -m 0644 policies.json /etc/chromium/policies/managed/gongyuan.json
install -m 0644 -o gongyuan-kiosk -g gongyuan-kiosk policies.json /var/lib/gongyuan-kiosk/policies.json
install -d -o gongyuan-kiosk -g gongyuan-kiosk /var/lib/gongyuan-kiosk/.config/fcitx5
install -m 0644 -o gongyuan-kiosk -g gongyuan-kiosk fcitx5-profile /var/lib/gongyuan-kiosk/.config/fcitx5/profile
install -m 0644 gongyuan-kiosk.service /etc/systemd/system/
systemctl daemon-reload
systemctl enable gongyuan-kiosk

runuser -u gongyuan-kiosk -- "$launcher/bin/gongyuan" kiosk doctor --config /etc/gongyuan-kiosk/kiosk.toml
