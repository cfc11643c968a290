// `fcgivisor demo`: the program shows itself working, each step told with the command that an
// operator would type. It fails when anything does, a single lost request included.

import { AdminClient } from "../../admin/client.ts";
import { asFault, Fault } from "../../fault.ts";
import { now, sleep } from "../../sys/clock.ts";
import { sendSignal } from "../../sys/process.ts";
import { lives } from "../../sys/proc/procfs.ts";
import { DemoStage, WORKERS } from "./stage.ts";
import { Interrupts } from "../bench/interrupts.ts";
import { Load } from "../bench/load.ts";
import type { LoadResult } from "../bench/tally.ts";
import { defineCommand } from "../command.ts";
import { print, printError } from "../print.ts";

const RELOADS = 3;
const PER_SECOND = 100;
/** More at once would be a measure of how slow the machine is, and at last fill the socket's queue. */
const AT_ONCE = 16;
const LONG_REQUEST_MS = 1000;
const BACK_MS = 60_000;
const POLL_MS = 2;

export default defineCommand({
  name: "demo",
  description:
    "Shows itself working: start, request, reload under load, a killed worker, quit. Touches nothing outside a temporary folder.",
  options: {
    embedded: {
      type: "boolean",
      description: "use the embedded responder even where PHP is installed",
    },
  },
  run: ({ embedded }) => demo(embedded),
});

async function demo(embedded: boolean): Promise<number> {
  const stage = DemoStage.set(embedded);
  const interrupted = Promise.withResolvers<never>();
  interrupted.promise.catch(() => {});
  // So that it cleans up before it ends.
  const interrupts = new Interrupts(() => interrupted.reject(new Fault("interrupted")));
  try {
    await Promise.race([play(stage), interrupted.promise]);
    return 0;
  } catch (error) {
    printError(`the supervisor's log:\n${indented(stage.log || "(empty)")}`);
    throw asFault(error);
  } finally {
    interrupts.off();
    await stage.tearDown();
  }
}

async function play(stage: DemoStage): Promise<void> {
  const began = now();
  tell(`${WORKERS} workers of ${stage.title}, in a temporary folder`);
  const pid = await start(stage);
  await requestPage(stage);
  await showStatus(stage);
  const load = await reloadUnderLoad(stage);
  if (stage.goesOnBehind) await reloadBehind(stage);
  await killWorker(stage);
  await quit(stage, pid);
  tell(
    `\nall well: ${load.sent} requests while ${RELOADS} reloads ran, 0 lost (${seconds(began)})`,
  );
}

async function start(stage: DemoStage): Promise<number> {
  typed(stage.shown("start"));
  const { ms } = await stage.command("start");
  const { pid, pools } = await new AdminClient(stage.socket).status();
  said(
    `ready after ${ms.toFixed(0)} ms: pid ${pid}, ${pools.length} pool, listening on ${pools[0]?.listen}`,
  );
  return pid;
}

async function requestPage(stage: DemoStage): Promise<void> {
  typed(stage.shown("request", ...stage.page));
  const { body, status, totalMs } = await stage.request(0);
  const [line] = Buffer.from(body).toString().trim().split("\n").slice(-1);
  said(`${status} after ${totalMs.toFixed(1)} ms: ${line}`);
}

async function showStatus(stage: DemoStage): Promise<void> {
  typed(stage.shown("status"));
  said((await stage.command("status")).output);
}

/** Reloads while requests come in at a constant rate, a long one in flight each time. */
async function reloadUnderLoad(stage: DemoStage): Promise<LoadResult> {
  tell(
    `\nnow ${PER_SECOND} requests a second, and before each reload one that takes ${LONG_REQUEST_MS} ms`,
  );
  const send = () => stage.request(0);
  const load = Load.start({ perSecond: PER_SECOND, atOnce: AT_ONCE, send });
  for (let i = 1; i <= RELOADS; i++) {
    typed(stage.shown("reload"));
    const [{ ms }] = await Promise.all([stage.command("reload"), stage.request(LONG_REQUEST_MS)]);
    said(`reload ${i} of ${RELOADS} done after ${ms.toFixed(0)} ms; the long request was finished`);
  }
  const result = await load.stop();
  said(
    `sent ${result.sent}, lost ${result.lost}; p50 ${result.p50.toFixed(1)} ms, p99 ${result.p99.toFixed(1)} ms, max ${result.max.toFixed(1)} ms`,
  );
  if (result.lost > 0)
    throw new Fault(`${result.lost} requests were lost`, { cause: result.firstLoss });
  return result;
}

/** A reload while a script is answered already, and goes on behind fastcgi_finish_request(). */
async function reloadBehind(stage: DemoStage): Promise<void> {
  tell(`\nand one whose script goes on for ${LONG_REQUEST_MS} ms behind its answer`);
  await stage.requestBehind(LONG_REQUEST_MS);
  typed(stage.shown("reload"));
  const { ms } = await stage.command("reload");
  if (stage.endedBehind === null) throw new Fault("the script was cut behind its answer");
  said(`done after ${ms.toFixed(0)} ms; worker ${stage.endedBehind} came to the end of its script`);
}

async function killWorker(stage: DemoStage): Promise<void> {
  const victim = (await workers(stage)).at(-1);
  if (victim === undefined) throw new Fault("the pool has no worker to kill");
  typed(`kill -9 ${victim}`);
  const began = now();
  sendSignal(victim, "SIGKILL");
  const replaced = await until(async () => {
    const pids = await workers(stage);
    return pids.length === WORKERS && !pids.includes(victim) ? pids : null;
  });
  if (replaced === null) throw new Fault(`the killed worker was not replaced within ${BACK_MS} ms`);
  await stage.request(0);
  said(`a new worker was there after ${(now() - began).toFixed(0)} ms: ${replaced.join(" ")}`);
}

async function quit(stage: DemoStage, pid: number): Promise<void> {
  typed(stage.shown("quit"));
  const { ms } = await stage.command("quit");
  const gone = await until(() => (lives(pid) ? null : true));
  if (gone === null) throw new Fault(`process ${pid} is still there after quit`);
  said(`gone after ${ms.toFixed(0)} ms, the workers too`);
}

/** The pids of the workers that can take a request. */
async function workers(stage: DemoStage): Promise<number[]> {
  const { pools } = await new AdminClient(stage.socket).status();
  const groups = pools.flatMap((pool) => pool.groups).filter(({ draining }) => draining === null);
  return groups.flatMap((group) => group.workers.map(({ pid }) => pid));
}

/** Asks again and again; null when it took too long. */
async function until<T>(ask: () => T | null | Promise<T | null>): Promise<T | null> {
  const end = now() + BACK_MS;
  while (now() < end) {
    const answer = await ask();
    if (answer !== null) return answer;
    await sleep(POLL_MS);
  }
  return null;
}

function tell(text: string): void {
  print(`${text}\n`);
}

function typed(command: string): void {
  tell(`\n$ ${command}`);
}

function said(text: string): void {
  print(indented(text));
}

function indented(text: string): string {
  return text.trimEnd().replace(/^/gm, "  ").concat("\n");
}

function seconds(began: number): string {
  return `${((now() - began) / 1000).toFixed(1)} s`;
}
