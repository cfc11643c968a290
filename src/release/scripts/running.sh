# Calls "$1 SOCKET" for each supervisor of root's that runs this package's program, in whatever way it was started: each has
# left the path of its control socket there.
each_running() {
    for pointer in /run/fcgivisor/configs/*; do
        [ ! -f "$pointer" ] || cat "$pointer"
    done | sort -u | while read -r socket; do
        pid=$(/usr/bin/fcgivisor status --json --socket "$socket" 2>/dev/null | sed -n 's/^  "pid": \([0-9]*\),*$/\1/p')
        [ -n "$pid" ] || continue
        case $(readlink "/proc/$pid/exe") in
            /usr/bin/fcgivisor*) "$1" "$socket" ;;
        esac
    done
}

# The new program takes over in the same process, on the same sockets. Whatever goes wrong, the old one serves on.
upgrade_one() {
    /usr/bin/fcgivisor upgrade --quiet --socket "$1" </dev/null || {
        echo "fcgivisor: the supervisor behind $1 still runs the old program; nothing was lost." >&2
        echo "fcgivisor: try again with: fcgivisor upgrade --socket $1" >&2
    }
}

quit_one() {
    /usr/bin/fcgivisor quit --quiet --socket "$1" </dev/null ||
        echo "fcgivisor: the supervisor behind $1 could not be stopped" >&2
}

reload_systemd() {
    [ ! -d /run/systemd/system ] || systemctl daemon-reload || true
}

stop_service() {
    [ ! -d /run/systemd/system ] || systemctl stop fcgivisor.service || true
}
