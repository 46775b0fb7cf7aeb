#!/bin/sh
# One display, one input method, one browser; nothing else to be reached.
export XMODIFIERS=@im=fcitx GTK_IM_MODULE=fcitx LANG=zh_CN.UTF-8
xset s off -dpms 2>/dev/null
setxkbmap -option srvrkeys:none 2>/dev/null
openbox --config-file /dev/null &
fcitx5 -d
exec /var/lib/gongyuan-launcher/bin/gongyuan kiosk run --config /etc/gongyuan-kiosk/kiosk.toml
