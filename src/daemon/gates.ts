// The sockets on which this supervisor can be asked: the control socket, the read-only one, the listener of
// [metrics]. They are open before there is anything to ask, and say "starting" until then.

import type { Asked, Handle } from "../admin/http.ts";
import { metricsRoutes, tokenOf } from "../admin/metrics-routes.ts";
import { openMetrics } from "../admin/metrics-server.ts";
import { roleOf } from "../admin/role.ts";
import { readOnlyRoutes, routes, type Service } from "../admin/routes.ts";
import { AdminServer } from "../admin/server.ts";
import type { Config } from "../config/model.ts";
import type { Peer } from "../sys/socket/peer.ts";

const STARTING: Handle = async () => new Response("starting\n", { status: 503 });

export class Gates {
  private readonly config: Config;
  private readonly token: string | null;
  private readonly open: { readonly close: () => Promise<void> }[] = [];
  private readonly handles = { full: STARTING, readOnly: STARTING, metrics: STARTING };

  /** Opens them all. Throws a Fault when one cannot be opened; then none is left. */
  static async open(config: Config): Promise<Gates> {
    const gates = new Gates(config);
    try {
      gates.openAll();
      return gates;
    } catch (error) {
      await gates.close();
      throw error;
    }
  }

  private constructor(config: Config) {
    this.config = config;
    this.token = tokenOf(config.metrics);
  }

  /** From now on they answer. */
  answer(service: Service): void {
    const { admin, metrics } = this.config;
    const { supervisor, recent } = service;
    const looking = { supervisor, recent, socket: admin.socket };
    this.handles.full = routes(service);
    this.handles.readOnly = readOnlyRoutes(service);
    this.handles.metrics = metricsRoutes(looking, metrics, this.token);
  }

  /** Waits for answers under way, then closes them. */
  async close(): Promise<void> {
    await Promise.all(this.open.splice(0).map((server) => server.close()));
  }

  private openAll(): void {
    const { admin, metrics } = this.config;
    const { readOnlySocket, readOnlyGroup: group, readOnlyMode: mode } = admin;
    const by = (gate: keyof typeof this.handles) => (asked: Asked) => this.handles[gate](asked);
    const lets = (peer: Peer | null) => roleOf(peer, admin) !== "none";
    this.open.push(AdminServer.open(admin, by("full"), { lets }));
    if (readOnlySocket !== null) {
      const place = { socket: readOnlySocket, owner: null, group, mode };
      this.open.push(AdminServer.open(place, by("readOnly")));
    }
    if (metrics.listen !== null && metrics.listen.kind !== "systemd")
      this.open.push(openMetrics(metrics, metrics.listen, by("metrics")));
  }
}
