#!/bin/sh
# Installs what the tests need from the system's packages, or says exactly what is missing.
set -u
missing=""
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }
has chromium || has chromium-browser || missing="$missing chromium"
has initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
has nginx || missing="$missing nginx-light"
has espeak-ng || missing="$missing espeak-ng"
has faketime || missing="$missing faketime"
has ip || missing="$missing iproute2"
has cage || missing="$missing cage"
has seatd || missing="$missing seatd"
has udevadm || missing="$missing udev"
has Xvfb || missing="$missing xvfb"
has xdotool || missing="$missing xdotool"
has xkbcomp || missing="$missing x11-xkb-utils"
has debootstrap || missing="$missing debootstrap"
has systemd-nspawn || missing="$missing systemd-container"
has systemd-analyze || missing="$missing systemd"
ls /usr/share/python-wheels/pip-*.whl >/dev/null 2>&1 || missing="$missing python3-venv"
[ -z "$missing" ] && exit 0
if has apt-get; then
  as_root=""
  [ "$(id -u)" = 0 ] || as_root="sudo -n"
  if $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
    exit 0
  fi
fi
echo "The tests also need:$missing. Install with your package manager (Debian: apt-get install$missing); tests that need them are" >&2
echo "reported as skipped, or as failed when COMPTOIR_REQUIRE_ALL=1." >&2
exit 0
