// `bun run bench:reload`: fcgivisor, php-fpm and supervisord on the same PHP scripts, in one run: what
// clients notice of reloads and of their going wrong. Prints Markdown; writes nothing but the block of the
// manual, and the picture made of it, that --write asks for.

import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { parseArgs } from "node:util";
import {
  aftermath,
  BROKEN,
  KILLED,
  LONG,
  NOTHING,
  PLAIN,
  STORM,
  UNSTARTABLE,
  type Case,
} from "./cases.ts";
import { FCGIVISOR, FCGIVISOR_FPM } from "./contender-fcgivisor.ts";
import { PHP_FPM, PHP_FPM_PATIENT } from "./contender-php-fpm.ts";
import { SUPERVISORD } from "./contender-supervisord.ts";
import { started, WORKERS, type Kind } from "./contender.ts";
import { figures, median } from "./figures.ts";
import { loadWhile, RATE } from "./loaded.ts";
import { find, findPhpCgi, findPhpFpm, installMissing, versionOf } from "./programs.ts";
import { endStages, setStage, type Transport } from "./stage.ts";
import { barsOf, FIGURES, PICTURE, picture } from "./picture.ts";
import { count, table, withBlock, type Row } from "./table.ts";
import { figureLines, targets, targetTable } from "./targets.ts";
import { throughput, type Steady } from "./throughput.ts";

const COMMAND = "bun run bench:reload";

/** The longest that all may take; a contender that hangs must not hang the bench. */
const WHOLE_MS = 12 * 60_000;

const ALL: readonly Kind[] = [FCGIVISOR, FCGIVISOR_FPM, PHP_FPM, PHP_FPM_PATIENT, SUPERVISORD];
/** Where php-fpm's control timeout changes nothing, it plays once. */
const ONCE: readonly Kind[] = [FCGIVISOR, FCGIVISOR_FPM, PHP_FPM, SUPERVISORD];

interface Item {
  readonly story: Case;
  readonly kinds: readonly Kind[];
}

const WHOLE_PROGRAMME: readonly Item[] = [
  { story: NOTHING, kinds: ONCE },
  { story: PLAIN, kinds: ALL },
  { story: LONG, kinds: ALL },
  { story: BROKEN, kinds: ONCE },
  { story: UNSTARTABLE, kinds: [FCGIVISOR, FCGIVISOR_FPM, SUPERVISORD] },
  { story: STORM, kinds: ALL },
  { story: KILLED, kinds: ONCE },
];
const QUICK_PROGRAMME: readonly Item[] = [
  { story: NOTHING, kinds: [FCGIVISOR, FCGIVISOR_FPM, PHP_FPM_PATIENT] },
  { story: PLAIN, kinds: [FCGIVISOR, FCGIVISOR_FPM, PHP_FPM_PATIENT] },
  { story: LONG, kinds: [FCGIVISOR, FCGIVISOR_FPM, PHP_FPM_PATIENT] },
];

const STEADY: Readonly<Record<Transport, string>> = {
  tcp: "steady, through nginx, TCP",
  unix: "steady, through nginx, Unix socket",
};
/** Turns of a second each; many and short, because machines have other things to do, too. */
const TURNS = 12;
const QUICK_TURNS = 3;
const TRANSPORTS = ["tcp", "unix"] as const;

const { values: options } = parseArgs({
  options: { quick: { type: "boolean" }, write: { type: "boolean" } },
});
const watchdog = setTimeout(() => giveUp(`not done after ${WHOLE_MS / 60_000} minutes`), WHOLE_MS);
process.once("SIGINT", () => giveUp("interrupted"));
process.once("SIGTERM", () => giveUp("interrupted"));
process.exitCode = await main();
clearTimeout(watchdog);

function giveUp(why: string): void {
  console.error(`${why}; given up`);
  void endStages().finally(() => process.exit(1));
}

async function main(): Promise<number> {
  const toManual = options.write === true;
  // Before five minutes of measuring, not after.
  if (toManual) withBlock(readFileSync(FIGURES, "utf8"), "");
  installMissing();
  const quick = options.quick === true;
  const rows: Row[] = [];
  for (const { story, kinds } of quick ? QUICK_PROGRAMME : WHOLE_PROGRAMME) {
    for (const kind of kinds) {
      const row = await play(story, kind);
      if (row === null) continue;
      console.error(`${row.what}, ${row.program}: ${row.lost} of ${row.sent} lost; ${row.came}`);
      rows.push(row);
    }
  }
  for (const transport of TRANSPORTS) {
    const steady = await throughput(ONCE, transport, quick ? QUICK_TURNS : TURNS);
    rows.push(...steady.map((one) => steadyRow(STEADY[transport], one, steady)));
  }
  const found = await figures(quick ? 5 : 15);
  const all = targets(rows, found, {
    own: FCGIVISOR.name,
    patient: PHP_FPM_PATIENT.name,
    plain: PHP_FPM.name,
    long: LONG.name,
    steady: STEADY.tcp,
  });
  const block = [
    table(rows, { names: [PHP_FPM_PATIENT.name, PHP_FPM.name] }),
    footnote(),
    targetTable(all),
    figureLines(found)
      .map((line) => `- ${line}`)
      .join("\n"),
    `Made by \`${COMMAND}${quick ? " --quick" : ""}\` on ${machine()}.`,
  ].join("\n\n");
  process.stdout.write(`${block}\n`);
  if (toManual) publish(block);
  return all[0]!.found.startsWith("0 of ") ? 0 : 1;
}

function publish(block: string): void {
  const page = withBlock(readFileSync(FIGURES, "utf8"), block);
  writeFileSync(FIGURES, page);
  writeFileSync(PICTURE, picture(barsOf(page)));
}

async function play(story: Case, kind: Kind): Promise<Row | null> {
  const stage = await setStage();
  try {
    const contender = await started(kind, stage);
    if (!story.applies(contender)) return null;
    const { loaded, came } = await loadWhile(stage, story.seconds, () => story.play(contender));
    const { words, besides = { sent: 0, lost: 0 } } = came;
    return {
      what: story.name,
      program: kind.name,
      sent: loaded.sent + besides.sent,
      lost: loaded.lost + besides.lost,
      p50: loaded.p50,
      p99: loaded.p99,
      max: loaded.max,
      gap: loaded.gap,
      paired: null,
      came: [words, await aftermath(contender)].filter(Boolean).join("; "),
    };
  } finally {
    await stage.end();
  }
}

function steadyRow(what: string, { kind, turns }: Steady, all: readonly Steady[]): Row {
  const base = all.find((other) => other.kind === PHP_FPM)?.turns ?? [];
  return {
    what,
    program: kind.name,
    sent: turns.reduce((sum, { sent }) => sum + sent, 0),
    lost: turns.reduce((sum, { lost }) => sum + lost, 0),
    p50: median(turns.map(({ p50 }) => p50)),
    p99: median(turns.map(({ p99 }) => p99)),
    max: Math.max(...turns.map(({ max }) => max)),
    gap: null,
    paired: median(turns.map(({ perSecond }, i) => perSecond / (base[i]?.perSecond ?? perSecond))),
    came: `${count(median(turns.map(({ perSecond }) => perSecond)))} requests a second`,
  };
}

function footnote(): string {
  return `${WORKERS} workers each, OPcache on, ${RATE} requests a second but in the steady rows; times count from the moment a request was due, the gap is time in which no answer came though one was due. "To php-fpm": p99 as a share of that of php-fpm (with its control timeout, where it has a row), in the steady rows the median of the requests a second in each turn as a share of php-fpm's in the same turn.`;
}

function machine(): string {
  const [cpu] = cpus();
  const supervisord = Bun.spawnSync([find("supervisord"), "--version"])
    .stdout.toString()
    .trim();
  return [
    `${cpus().length} x ${cpu?.model.trim() ?? "unknown CPU"}`,
    `Linux ${release()}`,
    `PHP ${versionOf(findPhpCgi())} (php-fpm ${versionOf(findPhpFpm())})`,
    `supervisord ${supervisord}`,
  ].join(", ");
}
