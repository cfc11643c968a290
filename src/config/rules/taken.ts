// Which addresses are taken: two listeners on one port get in each other's way when their hosts are
// the same or one of them is all hosts. Found by looking up, not by comparing each with each.

import { addressText, isDualStack, type ListenAddress } from "../../sys/socket/address.ts";
import { ipBytes } from "../../sys/socket/ip.ts";

interface Taken<T> {
  readonly by: T;
  readonly order: number;
}

export class TakenAddresses<T> {
  #count = 0;
  /** The first on each address, on each port, and on all hosts of each port. */
  readonly #exact = new Map<string, Taken<T>>();
  readonly #ports = new Map<string, Taken<T>>();
  readonly #allHosts = new Map<string, Taken<T>>();

  /** Takes the address, and tells who was the first to take what it overlaps. */
  take(address: ListenAddress, by: T): T | undefined {
    const taken = { by, order: this.#count++ };
    if (address.kind === "unix" || address.kind === "systemd") {
      return first(this.#exact, `${address.kind} ${addressText(address)}`, taken)?.by;
    }
    const own = this.#takeOf(address.kind, address, taken);
    if (!isDualStack(address)) return own?.by;
    return earlier(own, this.#takeOf("inet", { ...address, host: "0.0.0.0" }, taken))?.by;
  }

  /** The same within one family. */
  #takeOf(
    family: "inet" | "inet6",
    address: { readonly host: string; readonly port: number },
    taken: Taken<T>,
  ): Taken<T> | undefined {
    const port = `${family} ${address.port}`;
    const host = String(ipBytes(address.host)); // the same, however it is written
    const anyHost = /^[0,]+$/.test(host);
    const onPort = first(this.#ports, port, taken);
    const same = first(this.#exact, `${port} ${host}`, taken);
    const all = anyHost ? first(this.#allHosts, port, taken) : this.#allHosts.get(port);
    return anyHost ? onPort : earlier(same, all);
  }
}

function first<T>(map: Map<string, Taken<T>>, key: string, taken: Taken<T>): Taken<T> | undefined {
  const known = map.get(key);
  if (known === undefined) map.set(key, taken);
  return known;
}

function earlier<T>(a: Taken<T> | undefined, b: Taken<T> | undefined): Taken<T> | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.order < b.order ? a : b;
}
