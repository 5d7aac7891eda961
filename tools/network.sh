#!/usr/bin/env bash
# Installs what the tests and measurements of the network need beside ndbytes, and says what is left
# out where that cannot be: they look for themselves, and are skipped.
#
#     tools/network.sh [PROGRAM ...]
#
# Without a PROGRAM: those of the tests, nft, nginx and Apache. The measurements want nginx and wrk.
set -euo pipefail

# Debian keeps nft, nginx, Apache and others where only root looks for them.
PATH=$PATH:/usr/sbin:/sbin

package_of() {
    case $1 in
        ip | tc) echo iproute2 ;;
        nft) echo nftables ;;
        *) echo "$1" ;;
    esac
}

install() {
    [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 0
    echo "installing $*" >&2
    # A server that is installed is not to be started: it would take port 80. Who has a policy of
    # their own keeps it.
    local policy=/usr/sbin/policy-rc.d made=
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made=yes
    fi
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } >&2 || true
    [[ -z $made ]] || rm -f "$policy"
}

# Two namespaces, a cable, a speed limit and a rule that drops packets, as the tests make them.
can_make_hosts() {
    local one=ndbytes-$$-one other=ndbytes-$$-other made=0
    {
        ip netns add "$one" && ip netns add "$other" &&
            ip -n "$one" link add to-other type veth peer name to-one netns "$other" &&
            tc -n "$one" qdisc add dev to-other root tbf rate 40mbit burst 64kb latency 100ms &&
            nsenter --net="/run/netns/$one" nft -f - <<'RULES'
table inet loss {
    chain arriving {
        type filter hook input priority 0;
        numgen random mod 100 < 3 counter drop
    }
}
RULES
    } 2>&1 || made=1
    ip netns del "$one" 2>/dev/null || true
    ip netns del "$other" 2>/dev/null || true
    return $made
}

programs=("$@")
[[ $# -gt 0 ]] || programs=(ip tc nft nginx apache2)
missing=()
for program in "${programs[@]}"; do
    command -v "$program" >/dev/null || missing+=("$(package_of "$program")")
done
[[ ${#missing[@]} == 0 ]] || install "${missing[@]}"

for program in "${programs[@]}"; do
    command -v "$program" >/dev/null ||
        echo "note: there is no $program here (Debian, Ubuntu: apt-get install $(package_of "$program")), so what needs it is left out"
done
if [[ $# == 0 ]] && ! why=$(can_make_hosts); then
    echo "note: no hosts of network namespaces can be made here, so the tests of a lossy network are left out: ${why##*$'\n'}"
fi
