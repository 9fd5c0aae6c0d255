#!/usr/bin/env bash
# Makes a checkout ready to run: Debian packages, then a virtual environment with every Python package pinned by hash.
#
#   deploy/setup.sh run      what the daemon and `make check` need
#   deploy/setup.sh test     and the servers that the tests start: Postfix, Redis, PostgreSQL, knot, unbound, clamd,
#                            c-icap, Prometheus; what checks the unit and the AppArmor profile; Sendmail, which cannot
#                            be installed beside Postfix, unpacked into .venv/sendmail
#   deploy/setup.sh bench    and rspamd, bogofilter and policyd-spf, the peers of `make bench-peers`, of the classifier
#                            and of the policy service
#
# Missing Debian packages are installed by root, or through `sudo -n`; anyone else is told which they are. No system
# service is started by it. PYTHON chooses the interpreter (3.11 or newer); FILTERD_SKIP_PACKAGES=1 leaves the system's
# packages alone, for systems that are not Debian. The host's own pip settings decide where packages come from.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
level=${1:-run}
venv=.venv

fail() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 /usr/bin/python3}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

# gcc and the headers are for pymilter, which is published as source only. libseccomp2 and libarchive13 are loaded at
# run time. Python's own packages are Debian's business only where the interpreter is Debian's.
wanted_packages() {
    local python
    printf '%s\n' gcc libc6-dev libmilter-dev libarchive13 libseccomp2
    python=$(find_python)
    case "$python" in
        '' | /usr/bin/*) printf '%s\n' python3 python3-dev python3-venv ;;
    esac
    case "$level" in
        run) ;;
        test) printf '%s\n' postfix redis-server postgresql knot unbound strace clamav-daemon c-icap libc-icap-mod-virus-scan m4 iproute2 prometheus apparmor systemd ;;
        bench) printf '%s\n' postfix redis-server postgresql knot unbound strace clamav-daemon c-icap libc-icap-mod-virus-scan m4 iproute2 prometheus apparmor systemd rspamd bogofilter postfix-policyd-spf-python ;;
        *) fail "unknown level '$level': run, test or bench" ;;
    esac
}

missing_packages() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# A package's own start-up script asks /usr/sbin/policy-rc.d whether it may start a service: 101 is no. One that stands
# there already is the administrator's and stays; ours goes when this script ends, however it ends.
policy=/usr/sbin/policy-rc.d
forbid_services() {
    [ -e "$policy" ] && return
    trap 'as_root rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

install_packages() {
    local missing
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -z "${missing// /}" ] && return
    if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; then
        fail "these Debian packages are missing: $missing
       install them once with:  sudo apt-get install --no-install-recommends $missing"
    fi
    printf 'setup: installing %s\n' "$missing"
    forbid_services
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update
    # A Postfix without main.cf starts on no later boot either.
    case " $missing " in *" postfix "*)
        echo 'postfix postfix/main_mailer_type select No configuration' | as_root debconf-set-selections ;;
    esac
    # shellcheck disable=SC2086  # one word per package
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -y install --no-install-recommends $missing
}

# Sendmail's package conflicts with Postfix': it is fetched and unpacked, and never installed; the libraries that it is
# linked with are.
sendmail=$venv/sendmail
unpack_sendmail() {
    [ -x "$sendmail/usr/libexec/sendmail/sendmail" ] && [ -e "$sendmail/usr/share/sendmail/cf/m4/cf.m4" ] && return
    local folder package
    folder=$(mktemp -d)
    printf 'setup: unpacking sendmail into %s\n' "$sendmail"
    if ! (cd "$folder" && apt-get -q download sendmail-bin sendmail-cf >/dev/null 2>&1); then
        as_root apt-get -q update >/dev/null
        (cd "$folder" && apt-get -q download sendmail-bin sendmail-cf >/dev/null)
    fi
    # shellcheck disable=SC2046  # one word per package
    install_packages $(dpkg-deb -f "$folder"/sendmail-bin_*.deb Depends | tr ',' '\n' | awk '$1 ~ /^lib/ { print $1 }')
    rm -rf "$sendmail"
    mkdir -p "$sendmail"
    for package in "$folder"/*.deb; do dpkg -x "$package" "$sendmail"; done
    chmod g-s "$sendmail/usr/libexec/sendmail/sendmail"
    rm -r "$folder"
}

# The lines of the lock file that pin one package.
pinned() {
    awk -v name="$1" '/^[a-z0-9]/ { on = index($0, name "==") == 1 } on && !/^ *#/' requirements.lock
}

install_python() {
    local python build
    python=$(find_python)
    [ -n "$python" ] || fail 'no Python 3.11 or newer found: install python3, or set PYTHON'
    if ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        "$python" -m venv --clear "$venv"
    fi
    local pip=("$venv/bin/python" -m pip --disable-pip-version-check -q)
    # pymilter is built from source: its build tool comes from the lock file too, hash and all.
    build=$(mktemp)
    pinned setuptools >"$build"
    "${pip[@]}" install --require-hashes --no-deps -r "$build"
    rm -f "$build"
    "${pip[@]}" install --require-hashes --no-build-isolation -r requirements.lock
    "${pip[@]}" install --no-deps --no-build-isolation -e .
}

if [ "${FILTERD_SKIP_PACKAGES:-}" != 1 ]; then
    command -v dpkg-query >/dev/null || fail "not a Debian system. Install what corresponds to these packages, then run
       it again with FILTERD_SKIP_PACKAGES=1: $(wanted_packages | tr '\n' ' ')"
    # shellcheck disable=SC2046  # one word per package
    install_packages $(wanted_packages)
fi
if ! { [ "$venv/.python" -nt requirements.lock ] && [ "$venv/.python" -nt pyproject.toml ] && [ -x "$venv/bin/filterd" ]; }; then
    install_python
    touch "$venv/.python"
fi
if [ "${FILTERD_SKIP_PACKAGES:-}" != 1 ] && [ "$level" != run ]; then
    unpack_sendmail
fi
