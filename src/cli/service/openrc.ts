// The OpenRC service script. OpenRC's own ways to start daemons are passed by: `start` returns when every
// pool serves, with the reason when not.

import { shellWord } from "../../log/words.ts";
import type { ServiceFacts } from "./facts.ts";

export function openrcScript({ program, words, config, pidFile }: ServiceFacts): string {
  const command = (word: string) => [program, word, ...words].map(shellWord).join(" ");
  const action = (word: string, doing: string, tail = "") => `${word.replace("-", "_")}() {
    ebegin "${doing} \${RC_SVCNAME}"
    ${command(word)} --quiet
    eend $?${tail}
}
`;
  return `#!/sbin/openrc-run
# /etc/init.d/fcgivisor
# Made by \`fcgivisor service openrc\` for ${config}

# shellcheck shell=sh disable=SC2034
# Bun, which the program is made of, obeys these.
unset BUN_OPTIONS BUN_BE_BUN BUN_INSPECT
description="FastCGI supervisor: starts workers, keeps them running, reloads without losing a request"
pidfile=${shellWord(pidFile)}
extra_commands="checkconfig"
extra_started_commands="reload quit logrotate"
description_reload="New config and php.ini; nothing dropped"
description_quit="Stop gracefully: requests in flight finish"
description_logrotate="Reopen every log file"
description_checkconfig="Say all that is wrong with the config"

depend() {
    use net logger dns
    after localmount bootmisc firewall
}

checkconfig() {
    ${command("check")} --quiet
}

${action("start", "Starting")}
${action("stop", "Stopping")}
${action("reload", "Reloading")}
quit() {
    ebegin "Quitting \${RC_SVCNAME}"
    ${command("quit")} --quiet
    eend $? || return
    mark_service_stopped
}

${action("logrotate", "Reopening the logs of")}
status() {
    ${command("status")}
}
`;
}
