// The unit file. What it says follows from how the supervisor works: workers that outlive it, sockets
// that systemd keeps, a look into the workers from outside. Each hardening line was tried with it.

import { basename, dirname } from "node:path";
import { type ServiceFacts, unitWord } from "./facts.ts";
import { firstOf } from "../../log/words.ts";

export function systemdUnit(facts: ServiceFacts): string {
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
# SIGTERM is ${facts.stopSignalMeans === "quit" ? '"quit" in this config: requests in flight finish.' : '"stop": at once. With KillSignal=SIGQUIT requests in flight would finish.'}
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
${hardening(facts)}
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

function hardening(facts: ServiceFacts): string {
  const noNewPrivs = facts.pools.some(({ config }) => config.noNewPrivs);
  const chroot = facts.pools.some(({ config }) => config.chroot !== null);
  const mounts = facts.pools.some(({ config }) => config.privateTmp || config.readOnly);
  const inTmp = facts.seen.filter((path) => /^\/(var\/)?tmp(\/|$)/.test(path));
  const readOnly = facts.written.filter((path) => /^\/(usr|boot|efi|etc)(\/|$)/.test(path));
  return `# Hardening. Left out, because it would break what workers may do: MemoryDenyWriteExecute (just-in-time
# compilers), NoNewPrivileges (mail() through a setgid sendmail; a pool has no_new_privs of its own),
# ProtectHome (scripts below /home; set it if there are none).
ProtectSystem=full
${readOnly.length === 0 ? "" : `ReadWritePaths=${readOnly.map(unitWord).join(" ")}\n`}${
    inTmp.length === 0
      ? "PrivateTmp=yes\n"
      : `# No PrivateTmp: ${inTmp.join(", ")} would not be what other programs see there.\n`
  }PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
# Each pool gets a control group below the one of the service, so that nothing a script starts escapes a
# stop: so no ProtectControlGroups. Where systemd's own mark of that cannot be read, the variable tells it.
Delegate=yes
Environment=FCGIVISOR_DELEGATED=yes
ProtectClock=yes
ProtectHostname=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=${mounts ? "mnt" : "yes"}
SystemCallArchitectures=native
# Workers' sockets; netlink tells how long the queue of a Unix socket is.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
# Users of workers (SETUID, SETGID), sockets' owners and modes (CHOWN, FOWNER), files of other users
# (DAC_OVERRIDE), signals (KILL), a look into workers and their sockets back (SYS_PTRACE), ports below
# 1024 (NET_BIND_SERVICE), rlimit_* and nice (SYS_RESOURCE, SYS_NICE)${noNewPrivs ? ",\n# no_new_privs (SETPCAP)" : ""}${mounts ? ",\n# private_tmp and read_only (SYS_ADMIN)" : ""}.
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE CAP_KILL CAP_SYS_PTRACE CAP_NET_BIND_SERVICE CAP_SYS_RESOURCE CAP_SYS_NICE${noNewPrivs ? " CAP_SETPCAP" : ""}${chroot ? " CAP_SYS_CHROOT" : ""}${mounts ? " CAP_SYS_ADMIN" : ""}
# pidfd_getfd takes a socket back out of a worker.
SystemCallFilter=@system-service pidfd_getfd${chroot ? " chroot" : ""}${mounts ? " mount mount_setattr" : ""}
SystemCallErrorNumber=EPERM
`;
}
