// The lines of the unit that take away what neither the supervisor nor these pools need. Each was tried with
// all that the supervisor does; a line that would restrict what scripts may do is left to the administrator.

import { type ServiceFacts, unitWord } from "./facts.ts";
import type { Needs } from "./needs.ts";

export function hardening(facts: ServiceFacts, needs: Needs): string {
  return [folders(facts, needs), kernel(needs), controlGroups(), rights(needs)].join("");
}

function folders({ written }: ServiceFacts, { homes, sharedTmp }: Needs): string {
  const own = written.filter((path) => /^\/(usr|boot|efi|etc)(\/|$)/.test(path));
  const home = homes
    ? "# No ProtectHome, as there may be scripts below /home: set it if there are none.\n"
    : `# No pool is below /home or /root. Where scripts write there (uploads) all the same, delete this line.
ProtectHome=read-only
`;
  const tmp =
    sharedTmp.length === 0
      ? "PrivateTmp=yes\n"
      : `# No PrivateTmp: ${sharedTmp.join(", ")} would not be what other programs see there.\n`;
  return `# Hardening. Left out, because it would break what workers may do: MemoryDenyWriteExecute (just-in-time
# compilers), UMask (they would inherit it), IPAddressDeny (a database). ProtectProc would hide the workers, too.
ProtectSystem=full
${own.length === 0 ? "" : `ReadWritePaths=${own.map(unitWord).join(" ")}\n`}${home}${tmp}`;
}

function kernel({ newPrivileges, mounts }: Needs): string {
  const gain = newPrivileges
    ? "# No NoNewPrivileges: a pool may be without no_new_privs, for mail() through a setgid sendmail.\n"
    : "# As every pool has no_new_privs.\nNoNewPrivileges=yes\n";
  return `${gain}PrivateDevices=yes
PrivateMounts=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=${mounts ? "mnt" : "yes"}
SystemCallArchitectures=native
# Workers' sockets; netlink tells how long the queue of a Unix socket is.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
`;
}

function controlGroups(): string {
  return `# Each pool gets a control group below the one of the service, so that nothing a script starts escapes a
# stop; all others can only be read. In another slice, name it in both lines. Where systemd's own mark of the
# delegation cannot be read, the variable tells it.
Slice=system.slice
ProtectControlGroups=yes
ReadWritePaths=-/sys/fs/cgroup/system.slice/%n
Delegate=yes
Environment=FCGIVISOR_DELEGATED=yes
`;
}

interface Right {
  readonly capability: string;
  readonly reason: string;
  /** System calls that @system-service does not have. */
  readonly calls?: readonly string[];
}

function rights(needs: Needs): string {
  const all = rightsFor(needs);
  const calls = ["@system-service", ...all.flatMap((right) => right.calls ?? [])];
  return `# What root may do here:
${all.map(({ capability, reason }) => `#   ${capability}: ${reason}`).join("\n")}
# It looks into workers as their user, so it needs no CAP_SYS_PTRACE. Taking a socket out of a worker would:
# systemd keeps copies of the sockets instead. For \`run --takeover\` add CAP_SYS_PTRACE and pidfd_getfd.
CapabilityBoundingSet=${all.map(({ capability }) => capability).join(" ")}
SystemCallFilter=${calls.join(" ")}
SystemCallErrorNumber=EPERM
`;
}

function rightsFor(needs: Needs): Right[] {
  const when = (needed: boolean, right: Right) => (needed ? [right] : []);
  return [
    { capability: "CAP_SETUID", reason: "users of workers" },
    { capability: "CAP_SETGID", reason: "groups of workers" },
    { capability: "CAP_CHOWN", reason: "owners of sockets" },
    { capability: "CAP_FOWNER", reason: "modes of sockets that have another owner" },
    { capability: "CAP_DAC_OVERRIDE", reason: "logs and configs in folders of other users" },
    { capability: "CAP_KILL", reason: "signals to workers" },
    ...when(needs.lowPorts, { capability: "CAP_NET_BIND_SERVICE", reason: "ports below 1024" }),
    ...when(needs.limits, {
      capability: "CAP_SYS_RESOURCE",
      reason: "rlimit_files above 4096, rlimit_processes",
    }),
    ...when(needs.priority, { capability: "CAP_SYS_NICE", reason: "nice below 0" }),
    ...when(needs.giveUpRights, {
      capability: "CAP_SETPCAP",
      reason: "no_new_privs, to leave all these for good",
    }),
    ...when(needs.chroot, {
      capability: "CAP_SYS_CHROOT",
      reason: "chroot",
      calls: ["chroot"],
    }),
    ...when(needs.mounts, {
      capability: "CAP_SYS_ADMIN",
      reason: "private_tmp and read_only",
      calls: ["mount", "mount_setattr"],
    }),
  ];
}
