// Steady requests through nginx, closed loop: what the supervision costs when nothing happens. The
// contenders stand side by side, idle but for the one whose turn it is, and take turns several times, so
// that whatever else the machine does meets them all.

import { nginx } from "../helper/nginx.ts";
import { started, type Kind } from "./contender.ts";
import { find } from "./programs.ts";
import { setStage, type Stage, type Transport } from "./stage.ts";
import { readWrk, type WrkResult } from "./wrk.ts";

const CONNECTIONS = 8;
const TURN_S = 1;

export interface Steady {
  readonly kind: Kind;
  readonly turns: readonly WrkResult[];
}

interface Player {
  readonly kind: Kind;
  readonly stage: Stage;
  readonly url: string;
  readonly turns: WrkResult[];
}

export async function throughput(
  kinds: readonly Kind[],
  transport: Transport,
  turns: number,
): Promise<Steady[]> {
  const players: Player[] = [];
  try {
    for (const kind of kinds) players.push(await player(kind, await setStage(transport)));
    for (const each of players) await turn(each);
    for (let i = 0; i < turns; i++) {
      // There and back, so that nobody always comes after the same one.
      for (const each of i % 2 === 0 ? players : players.toReversed()) {
        each.turns.push(await turn(each));
      }
    }
    return players;
  } finally {
    for (const { stage } of players) await stage.end();
  }
}

async function player(kind: Kind, stage: Stage): Promise<Player> {
  try {
    await started(kind, stage);
    const { url } = await nginx(stage, { to: stage.where, root: stage.path("www") });
    return { kind, stage, url: `${url}/hello.php`, turns: [] };
  } catch (error) {
    await stage.end();
    throw error;
  }
}

async function turn({ stage, url }: Player): Promise<WrkResult> {
  const words = ["-t1", `-c${CONNECTIONS}`, `-d${TURN_S}s`, "--latency", url];
  const { stdout, stderr, code } = await stage.command([find("wrk"), ...words]);
  if (code !== 0) throw new Error(`wrk: exit ${code}: ${stderr}`);
  return readWrk(stdout);
}
