# Sourced by what runs in user-mode Linux: a process of this host, some twenty times faster than emulation, with a kernel of its own.
# $UML_KERNEL and $UML_MODULES: the program and the folder of its modules, where the package user-mode-linux is not installed.
uml_modules=${UML_MODULES:-/usr/lib/uml/modules} uml_kernel=${UML_KERNEL:-linux.uml}

# uml_root NAME: makes $work, and in it $root, a copy of the guest's Debian root with the kernel's modules.
uml_root() {
    command -v "$uml_kernel" >/dev/null && [ -d "$uml_modules" ] || { echo "user-mode Linux is not here: apt-get install user-mode-linux" >&2; exit 2; }
    cache=${NODE_AGENT_GUEST_CACHE:-$HOME/.cache/node-agent-guest}
    base=$(for found in "$cache"/root-*/rootfs.tar; do [ ! -e "$found" ] || dirname "$found"; done | head -n 1)
    [ -n "$base" ] || { base=$cache/root-uml; sh "$(dirname "$0")/rootfs.sh" "$base"; }
    work=$(mktemp -d "${TMPDIR:-/var/tmp}/node-agent-$1.XXXXXX")
    root=$work/root
    mkdir "$root"
    tar -C "$root" -xf "$base/rootfs.tar"
    rm -rf "$root/usr/lib/modules"
    cp -a "$uml_modules" "$root/usr/lib/modules"
}

# uml_run SECONDS MEMORY INIT: boots $root with INIT, a path in it, until it powers off; the console goes to $work/log.
uml_run() {
    timeout -k 10 "$1" "$uml_kernel" "mem=$2" rootfstype=hostfs "rootflags=$root" rw "init=$3" con=null con0=fd:0,fd:1 quiet </dev/null >"$work/log" 2>&1 || true
}
