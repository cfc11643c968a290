// A supervisor for one command: the config as it is resolved, but with sockets, state and log in a folder of its own.
// It disturbs no other, needs neither a port nor root, and ends with this process, however that ends.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AdminClient } from "../../admin/client.ts";
import { dumpConfig } from "../../config/derived/dump.ts";
import type { Config, PoolConfig } from "../../config/model.ts";
import { Fault } from "../../fault.ts";
import { spawnDaemon } from "../../sys/exec/daemon.ts";
import { sendSignal } from "../../sys/process.ts";
import type { AskedPool } from "../smoke/smoked.ts";

export interface ThrowAway {
  /** The config it runs with: control commands find it by that. */
  readonly configFile: string;
  readonly pools: readonly AskedPool[];
  readonly log: () => string;
  /** Stops it, and removes its folder. */
  readonly stop: () => Promise<void>;
}

/** Starts it, and returns when every pool serves. Throws the Fault that says why it does not. */
export async function throwAway(config: Config): Promise<ThrowAway> {
  const folder = mkdtempSync(join(tmpdir(), "fcgivisor-"));
  const place = (name: string) => join(folder, name);
  const own = inFolder(config, place);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const forget = removeAtSignal(remove);
  try {
    mkdirSync(own.supervisor.stateDir, { mode: 0o700 });
    const loaded = { config: own, warnings: [], origins: new Map() };
    writeFileSync(place(CONFIG), dumpConfig(loaded), { mode: 0o600 });
    const stop = await start(place(CONFIG), own.admin.socket);
    return {
      configFile: place(CONFIG),
      pools: own.pools.map((pool) => asked(pool)),
      log: () => readFileSync(place(LOG), "utf8"),
      stop: async () => {
        await stop();
        forget();
        remove();
      },
    };
  } catch (error) {
    forget();
    remove();
    throw error;
  }
}

const CONFIG = "fcgivisor.toml";
const LOG = "fcgivisor.log";

/** Resolves to what stops it. */
async function start(configFile: string, socket: string): Promise<() => Promise<void>> {
  let said = "";
  const words = ["run", "--background", "--die-with-parent", "-c", configFile];
  const daemon = spawnDaemon(words, (text) => (said += text));
  if ((await daemon.firstLine) === null) throw notStarted(said);
  return async () => {
    // It may have ended by itself.
    await new AdminClient(socket).operate("stop").catch(() => null);
    await daemon.exitCode;
  };
}

function notStarted(said: string): Fault {
  return new Fault("the throw-away supervisor did not start", {
    where: "a copy of the config on private sockets",
    hint: "it ran as this user; `fcgivisor check` looks at the config itself",
    cause: said.trim().replace(/^fcgivisor: /, ""),
  });
}

function inFolder(config: Config, place: (name: string) => string): Config {
  const { supervisor, admin, log, pools } = config;
  return {
    ...config,
    supervisor: { ...supervisor, stateDir: place("run"), pidFile: null },
    admin: {
      ...admin,
      socket: place("admin.sock"),
      owner: null,
      group: null,
      mode: 0o600,
      readOnlySocket: null,
    },
    log: { ...log, file: place(LOG), format: "text" },
    pools: pools.map((pool, i) => ({
      ...pool,
      allowedClients: [],
      listen: {
        ...pool.listen,
        address: { kind: "unix", path: place(`${i}.sock`) },
        owner: null,
        group: null,
        mode: null,
      },
    })),
  };
}

function asked(config: PoolConfig): AskedPool {
  const { address } = config.listen;
  if (address.kind === "systemd") throw new Error("a throw-away pool has a socket of its own");
  return { config, address };
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Until the returned function is called. Where somebody else handles the signal, it is theirs to end in an orderly way. */
function removeAtSignal(remove: () => void): () => void {
  const handlers = SIGNALS.map((signal) => {
    const end = () => {
      if (process.listenerCount(signal) > 1) return;
      remove();
      process.off(signal, end);
      sendSignal(process.pid, signal);
    };
    process.on(signal, end);
    return () => process.off(signal, end);
  });
  return () => handlers.forEach((off) => off());
}
