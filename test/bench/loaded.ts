// A constant load while something is done to a contender. It runs in a process of its own, which is the
// program's own `bench`: what it says of php-fpm, anybody can ask it again.

import { BINARY, runCommand } from "../helper/program.ts";
import type { Stage } from "./stage.ts";

/** Requests a second, as the figures to reach have it. */
export const RATE = 200;
/** Between the first request and the first thing done. */
const LEAD_MS = 1000;

/** Milliseconds where nothing else is said; null where no request was answered. */
export interface Loaded {
  readonly sent: number;
  readonly lost: number;
  readonly losses: Readonly<Record<string, number>>;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  readonly gap: number | null;
}

interface BenchJson {
  sent: number;
  lost: number;
  losses: Record<string, number>;
  p50_ms: number | null;
  p99_ms: number | null;
  max_ms: number | null;
  longest_gap_ms: number;
}

/** Runs `act` a second after the load has begun; resolves when both are over. */
export async function loadWhile<T>(
  stage: Stage,
  seconds: number,
  act: () => Promise<T>,
): Promise<{ loaded: Loaded; came: T }> {
  const words = ["--to", stage.listen, "--script", stage.script("hello.php"), "--json"];
  const load = ["--rate", String(RATE), "--duration", `${seconds}s`, "--expect", "hello"];
  const running = runCommand(stage.dir, [BINARY, "bench", "/hello.php", ...words, ...load], {
    timeout: seconds * 1000 + 20_000,
  });
  await Bun.sleep(LEAD_MS);
  const came = await act();
  const { stdout, stderr, code } = await running;
  if (stdout === "") throw new Error(`the load ended with exit code ${code}: ${stderr}`);
  const found = JSON.parse(stdout) as BenchJson;
  return {
    loaded: {
      sent: found.sent,
      lost: found.lost,
      losses: found.losses,
      p50: found.p50_ms,
      p99: found.p99_ms,
      max: found.max_ms,
      gap: found.longest_gap_ms,
    },
    came,
  };
}
