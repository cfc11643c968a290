// Figures of fcgivisor itself that a load does not show: how soon workers are ready, what a command
// and the supervisor cost. Each is compared within this run with something that the machine sets.

import { alive, rssOf, workersAt } from "../helper/processes.ts";
import { BINARY } from "../helper/program.ts";
import { eventually } from "../helper/wait.ts";
import { adminSocket, configure, FCGIVISOR } from "./contender-fcgivisor.ts";
import { started, type Contender } from "./contender.ts";
import { findPhpCgi } from "./programs.ts";
import { setStage, type Stage } from "./stage.ts";

export interface Figures {
  /** Milliseconds, medians. */
  readonly phpCgiVersion: number;
  readonly generationReady: number;
  readonly reloadServes: number;
  readonly status: number;
  readonly version: number;
  readonly startHundred: number;
  /** kB resident. */
  readonly rssOne: number;
  readonly rssHundred: number;
}

const GENERATION = 8;
const HUNDRED = 100;

export async function figures(times: number): Promise<Figures> {
  const [generation, one, hundred] = [
    await onStage((stage) => generationFigures(stage, times)),
    await onStage(rssOfOne),
    await onStage(hundredWorkers),
  ];
  return { ...generation, rssOne: one, ...hundred };
}

async function onStage<T>(measure: (stage: Stage) => Promise<T>): Promise<T> {
  const stage = await setStage();
  try {
    return await measure(stage);
  } finally {
    await stage.end();
  }
}

/** `php-cgi -v` and a reload of eight take turns, so that both meet the same machine. */
async function generationFigures(stage: Stage, times: number) {
  const phpCgi = findPhpCgi();
  const contender = await started(FCGIVISOR, stage, GENERATION);
  const taken = { bare: [] as number[], ready: [] as number[], serves: [] as number[] };
  const words = { status: [] as number[], version: [] as number[] };
  const config = stage.path("fcgivisor.toml");
  for (let i = 0; i < times; i++) {
    taken.bare.push((await stage.command([phpCgi, "-v"])).ms);
    const reload = await reloadTimes(stage);
    taken.ready.push(reload.ready);
    taken.serves.push(reload.serves);
    await oldOnesLeft(contender);
    words.status.push((await stage.command([BINARY, "status", "-c", config])).ms);
    words.version.push((await stage.command([BINARY, "--version"])).ms);
  }
  return {
    phpCgiVersion: median(taken.bare),
    generationReady: median(taken.ready),
    reloadServes: median(taken.serves),
    status: median(words.status),
    version: median(words.version),
  };
}

/**
 * Milliseconds of one reload as its own steps tell them, on the asker's clock: from the checked config to
 * the new generation being ready, and from the request to the swap.
 */
async function reloadTimes(stage: Stage): Promise<{ ready: number; serves: number }> {
  const began = performance.now();
  const seen = new Map<string, number>();
  const response = await fetch("http://localhost/v1/reload", {
    unix: adminSocket(stage),
    method: "POST",
    headers: { accept: "application/x-ndjson" },
  });
  const decoder = new TextDecoder();
  let all = "";
  for await (const chunk of response.body ?? []) {
    const text = decoder.decode(chunk, { stream: true });
    all += text;
    for (const [, step] of text.matchAll(/"step":"(\w+)"/g)) {
      if (!seen.has(step!)) seen.set(step!, performance.now());
    }
  }
  const [checked, ready, swapped] = ["checked", "ready", "swapped"].map((step) => seen.get(step));
  if (checked === undefined || ready === undefined || swapped === undefined) {
    throw new Error(`a reload without its steps: ${all}`);
  }
  return { ready: ready - checked, serves: swapped - began };
}

async function oldOnesLeft({ stage }: Contender): Promise<void> {
  await eventually(() => workersAt(stage.where).length === GENERATION, {
    what: "the old workers have left",
  });
}

async function rssOfOne(stage: Stage): Promise<number> {
  const contender = await started(FCGIVISOR, stage, 1);
  return rssOf(contender.managerPid());
}

/** A hundred processes of one worker each: the most that a supervisor has to do for a hundred workers. */
async function hundredWorkers(stage: Stage): Promise<{ startHundred: number; rssHundred: number }> {
  const config = configure(stage, HUNDRED, findPhpCgi(), "group_size = 1");
  const outcome = await stage.command([BINARY, "start", "-c", config]);
  if (outcome.code !== 0) throw new Error(`100 workers did not start: ${outcome.stderr}`);
  const pid = Number(await Bun.file(stage.path("run/fcgivisor.pid")).text());
  if (!alive(pid) || workersAt(stage.where).length < HUNDRED) {
    throw new Error("start returned before its hundred workers were there");
  }
  return { startHundred: outcome.ms, rssHundred: rssOf(pid) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
