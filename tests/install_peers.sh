#!/bin/sh
# Installs the peers the tests talk to (DCMTK, Orthanc, dciodvfy) where that is possible, and says what is missing.
missing=""
command -v storescu >/dev/null 2>&1 || missing="$missing dcmtk"
command -v Orthanc >/dev/null 2>&1 || missing="$missing orthanc"
command -v dciodvfy >/dev/null 2>&1 || missing="$missing dicom3tools"
command -v strace >/dev/null 2>&1 || missing="$missing strace"
command -v zstd >/dev/null 2>&1 || missing="$missing zstd"
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Not installed:$missing. Tests that need them are skipped (as root on Debian or Ubuntu they would be installed)."
    exit 0
fi
# The packaged Orthanc would start a service on 4242; the tests start their own on free ports.
[ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; blocked=1; }
apt-get update -q >/dev/null || echo "apt-get update failed; trying with the lists that are here."
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >/dev/null ||
    echo "Could not install:$missing. Tests that need them are skipped."
[ -n "${blocked:-}" ] && rm -f /usr/sbin/policy-rc.d
exit 0
