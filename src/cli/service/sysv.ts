// The SysV init script, with headers for LSB (insserv, update-rc.d) and for chkconfig. The words are the
// commands', so the script only passes them on; exit codes are LSB's already.

import { shellWord } from "../../log/words.ts";
import type { ServiceFacts } from "./facts.ts";

export function sysvScript({ program, words, config, pidFile }: ServiceFacts): string {
  return `#!/bin/sh
# /etc/init.d/fcgivisor
# Made by \`fcgivisor service sysv\` for ${config}
#
# chkconfig: 2345 84 16
# description: fcgivisor starts FastCGI workers, keeps them running, and reloads them without losing a request.
# processname: fcgivisor
# config: ${config}
# pidfile: ${pidFile}
#
### BEGIN INIT INFO
# Provides:          fcgivisor
# Required-Start:    $remote_fs $network
# Required-Stop:     $remote_fs $network
# Should-Start:      $syslog $named
# Should-Stop:       $syslog $named
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: FastCGI supervisor
# Description:       Starts FastCGI workers, keeps them running, and reloads
#                    them without losing a request.
### END INIT INFO

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Bun, which the program is made of, obeys these.
unset BUN_OPTIONS BUN_BE_BUN BUN_INSPECT
DAEMON=${shellWord(program)}

# A package that was removed leaves its script; LSB: nothing to do is no failure, but status 5 is "not installed".
if [ ! -x "$DAEMON" ]; then
    [ "$1" = stop ] && exit 0
    exit 5
fi

control() {
    word=$1
    shift
    "$DAEMON" "$word" ${words.map(shellWord).join(" ")} "$@"
}

# LSB: to stop what does not run is a success.
end() {
    control "$1"
    code=$?
    [ "$code" -eq 3 ] && return 0
    return "$code"
}

case "$1" in
    start)
        control start
        ;;
    stop | quit)
        end "$1"
        ;;
    restart)
        # Sockets stay open where it runs already.
        control restart
        code=$?
        [ "$code" -ne 3 ] && exit "$code"
        control start
        ;;
    try-restart)
        end restart
        ;;
    reload | force-reload)
        control reload
        ;;
    logrotate)
        control logrotate
        ;;
    status)
        control status
        ;;
    *)
        echo "Usage: $0 {start|stop|quit|restart|try-restart|reload|force-reload|logrotate|status}" >&2
        exit 2
        ;;
esac
`;
}
