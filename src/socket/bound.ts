// Which address a listening socket has on this machine: the one place where a name that systemd was to give
// a socket under, and did not, becomes a fault, and where a machine without IPv6 makes a difference.

import type { Config } from "../config/model.ts";
import { Fault } from "../fault.ts";
import { type Address, isDualStack, type ListenAddress } from "../sys/socket/address.ts";
import { hasIpv6 } from "../sys/socket/socket.ts";

/** The address itself. Throws the Fault for a name that no socket was handed over under. */
export function boundAddress(address: ListenAddress): Address {
  if (address.kind !== "systemd") return address;
  throw new Fault(`systemd has handed over no socket named "${address.name}"`, {
    where: `listen = "systemd:${address.name}"`,
    hint: `name it in the socket unit with FileDescriptorName=${address.name}; \`fcgivisor service systemd-socket\` prints one. Sockets are handed over to \`fcgivisor run\`, not to \`start\``,
  });
}

/** All addresses are those of IPv4 where the kernel has no others, as in php-fpm. */
export function addressHere(address: ListenAddress): ListenAddress {
  if (!isDualStack(address) || address.kind !== "inet6" || hasIpv6()) return address;
  return { kind: "inet", host: "0.0.0.0", port: address.port };
}

/** The config with the addresses that its pools have on this machine, whatever it was written for. */
export function withAddressesHere(config: Config): Config {
  return withAddresses(config, addressHere);
}

/** The config with other addresses for its pools. */
export function withAddresses(
  config: Config,
  change: (address: ListenAddress) => ListenAddress,
): Config {
  const pools = config.pools.map((pool) => {
    const address = change(pool.listen.address);
    return address === pool.listen.address
      ? pool
      : { ...pool, listen: { ...pool.listen, address } };
  });
  return { ...config, pools };
}
