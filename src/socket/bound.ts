// The one place where a name that systemd was to give a socket under, and did not, becomes a fault.

import { Fault } from "../fault.ts";
import type { Address, ListenAddress } from "../sys/socket/address.ts";

/** The address itself. Throws the Fault for a name that no socket was handed over under. */
export function boundAddress(address: ListenAddress): Address {
  if (address.kind !== "systemd") return address;
  throw new Fault(`systemd has handed over no socket named "${address.name}"`, {
    where: `listen = "systemd:${address.name}"`,
    hint: `name it in the socket unit with FileDescriptorName=${address.name}; \`fcgivisor service systemd-socket\` prints one. Sockets are handed over to \`fcgivisor run\`, not to \`start\``,
  });
}
