// `status --watch` on a terminal: the whole screen, a look a second, keys to choose, to reload, to scale and to pause. It only asks; a
// supervisor that is gone is shown as gone, and found again.

import type { AdminClient } from "../../../admin/client.ts";
import type { Status } from "../../../admin/contract.ts";
import { asFault } from "../../../fault.ts";
import { fieldsText, type LogFields } from "../../../log/record.ts";
import { after } from "../../../sys/clock.ts";
import { reportLines } from "../../control/report-text.ts";
import { doingText } from "../../../supervisor/trace/doing.ts";
import { paintFor } from "../../paint.ts";
import { frame, type Scene } from "./frame.ts";
import { glyphsFor } from "./graph.ts";
import { Screen } from "./screen.ts";
import { withUnknown } from "../older.ts";
import type { Doing } from "../requests.ts";
import { type Action, afterKey, signed, type View } from "./view.ts";

const LOOK_EVERY_MS = 1000;
const EVENTS_KEPT = 100;
/** Requests whose worker is looked into: no more than are shown on most terminals. */
const DOING_MOST = 20;

/** Until `q`; the exit code. `pool`: where the cursor begins. */
export async function watch(
  client: AdminClient,
  first: Status,
  pool: string | null,
): Promise<number> {
  const watcher = new Watcher(client, first, pool);
  await watcher.run();
  return 0;
}

/** In one line, with the time of the day. */
function eventText(fields: LogFields): string {
  const [line = ""] = fieldsText({ ...fields, time: fields.time.slice(11, 19) }).split("\n", 1);
  return line;
}

class Watcher {
  private readonly client: AdminClient;
  private readonly screen: Screen;
  private readonly look = { paint: paintFor(true, process.env), glyphs: glyphsFor(process.env) };
  private readonly over = Promise.withResolvers<void>();
  private scene: Scene;
  private view: View;
  private cancel: () => void = () => {};
  private isOver = false;

  constructor(client: AdminClient, status: Status, pool: string | null) {
    this.client = client;
    this.scene = { status, doing: null, events: [], trouble: null };
    this.view = { pool, order: "config", asks: null, told: null };
    this.screen = new Screen({
      onKey: (key) => this.hear(key),
      onResize: () => this.draw(),
      onEnd: () => this.end(),
    });
  }

  async run(): Promise<void> {
    this.screen.open();
    try {
      this.draw();
      void this.lookOn();
      await this.over.promise;
    } finally {
      this.cancel();
      this.screen.close();
    }
  }

  private end(): void {
    this.isOver = true;
    this.over.resolve();
  }

  /** Asks, draws, and asks again a second after the answer. */
  private async lookOn(): Promise<void> {
    this.scene = await this.seen();
    if (this.isOver) return;
    this.draw();
    this.cancel = after(LOOK_EVERY_MS, () => void this.lookOn());
  }

  private async seen(): Promise<Scene> {
    try {
      const status = withUnknown(await this.client.status());
      const [doing, events] = await Promise.all([this.doing(), this.events()]);
      return { status, doing, events, trouble: null };
    } catch (error) {
      return { ...this.scene, trouble: `${asFault(error).message}; trying again` };
    }
  }

  /** Of the pool that is chosen, only of the requests that are shown. The read-only socket does not tell. */
  private async doing(): Promise<Doing | null> {
    const { pool } = this.view;
    const longest = String(Math.min(DOING_MOST, this.screen.size.rows));
    const query = new URLSearchParams({ longest, ...(pool === null ? {} : { pool }) });
    try {
      const { workers } = await this.client.trace(query);
      return new Map(workers.map((worker) => [worker.pid, doingText(worker)]));
    } catch {
      return null;
    }
  }

  /** Of the pool that is chosen. The read-only socket has none. */
  private async events(): Promise<readonly string[]> {
    const { pool } = this.view;
    const query = { lines: String(EVENTS_KEPT), ...(pool === null ? {} : { pool }) };
    const events: string[] = [];
    try {
      for await (const line of this.client.log("logs", query))
        if ("number" in line) events.push(eventText(line));
    } catch {
      // 404: not told here.
    }
    return events;
  }

  private hear(key: string): void {
    const next = afterKey(this.view, key, this.scene.status.pools);
    if (next === "quit") return this.end();
    this.view = next.view;
    if (next.act !== undefined) void this.act(next.act);
    this.draw();
  }

  private async act(action: Action): Promise<void> {
    const { pool } = this.view;
    this.tell(`${action.do} …`);
    const pools = pool === null ? {} : { pools: [pool] };
    const workers = action.do === "scale" ? { workers: signed(action.by) } : {};
    try {
      const report = await this.client.operate(action.do, { ...pools, ...workers });
      this.tell(reportLines(report)[0]!);
    } catch (error) {
      this.tell(`${action.do} failed: ${asFault(error).message}`);
    }
  }

  private tell(told: string): void {
    if (this.isOver) return;
    this.view = { ...this.view, told };
    this.draw();
  }

  private draw(): void {
    const canvas = { ...this.screen.size, ...this.look };
    if (!this.screen.show(frame(this.scene, this.view, canvas))) this.end();
  }
}
