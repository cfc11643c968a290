// The unit file. What it says follows from how the supervisor works: workers that outlive it, sockets
// that systemd keeps, a look into the workers from outside.

import { basename, dirname } from "node:path";
import { type ServiceFacts, unitWord } from "./facts.ts";
import { hardening } from "./hardening.ts";
import { type Needs, needsOf } from "./needs.ts";
import { firstOf } from "../../log/words.ts";

export function systemdUnit(facts: ServiceFacts, needs: Needs = needsOf(facts)): string {
  const { program, words, pools } = facts;
  const sockets = socketUnitNames(facts);
  const command = (...more: string[]) => [program, ...more, ...words].map(unitWord).join(" ");
  return `# /etc/systemd/system/fcgivisor.service
# Made by \`fcgivisor service systemd\` for ${facts.config}
#   systemctl daemon-reload && systemctl enable --now fcgivisor

[Unit]
Description=fcgivisor: FastCGI workers (${firstOf(pools.map(({ name }) => name))})
After=network.target
${sockets.length === 0 ? "" : `Requires=${sockets.join(" ")}\nAfter=${sockets.join(" ")}\n`}
[Service]
Type=notify
NotifyAccess=main
ExecStart=${command("run")}
# Through the control socket: returns when the old workers have left, and fails when the reload fails.
ExecReload=${command("reload", "--quiet")}
${sockets.length === 0 ? "" : `Sockets=${sockets.join(" ")}\n`}
# SIGTERM is ${facts.stopSignalMeans === "quit" ? '"quit" in this config: requests in flight finish.' : '"stop": at once. Uncomment the next line, and requests in flight finish, at a `systemctl restart` too:\n#KillSignal=SIGQUIT'}
# The supervisor ends its workers itself. When it dies, they go on serving, and the next one takes the
# service back from them: so systemd must not kill them (any other KillMode would).
KillMode=process
TimeoutStartSec=${facts.reloadSeconds}
TimeoutStopSec=${facts.stopSeconds}
Restart=on-failure
RestartPreventExitStatus=2
# Bun, which this program is made of, obeys these: whoever sets one for root decides what root runs.
UnsetEnvironment=BUN_OPTIONS BUN_BE_BUN BUN_INSPECT BUN_INSPECT_NOTIFY BUN_INSPECT_CONNECT_TO
# One worker out of memory is replaced; it is no reason to end all others.
OOMPolicy=continue
# A supervisor that hangs is started again; its workers do not notice.
WatchdogSec=30
# systemd keeps copies of the sockets: they outlive even the last worker, and a restart of the unit.
FileDescriptorStoreMax=${Math.max(64, 4 * pools.length)}
${runtimeDirectory(facts)}
${hardening(facts, needs)}
[Install]
WantedBy=multi-user.target
`;
}

/** The units that `fcgivisor service systemd-socket` prints for pools that name one. */
function socketUnitNames({ pools }: ServiceFacts): string[] {
  return pools.flatMap(({ descriptor }) => (descriptor === null ? [] : [socketUnit(descriptor)]));
}

export function socketUnit(descriptor: string): string {
  return `fcgivisor-${descriptor}.socket`;
}

/** A folder of our own below /run, which is empty after each boot; kept, because the state file in it must be. */
function runtimeDirectory({ stateDir }: ServiceFacts): string {
  if (dirname(stateDir) !== "/run") return "";
  return `RuntimeDirectory=${unitWord(basename(stateDir))}
RuntimeDirectoryMode=0755
RuntimeDirectoryPreserve=yes
`;
}
