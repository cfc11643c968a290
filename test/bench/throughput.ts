// Steady requests through nginx, closed loop: what the supervision costs when nothing happens. The
// contenders stand side by side, idle but for the one whose turn it is, and take turns several times, so
// that whatever else the machine does meets them all.

import { nginx } from "../helper/nginx.ts";
import { started, type Contender, type Kind } from "./contender.ts";
import { find } from "./programs.ts";
import { setStage, type Stage } from "./stage.ts";
import { readWrk, type WrkResult } from "./wrk.ts";

const CONNECTIONS = 8;
const TURN_S = 4;
const WARM_UP_S = 1;

export interface Steady {
  readonly kind: Kind;
  readonly turns: readonly WrkResult[];
}

interface Player {
  readonly kind: Kind;
  readonly contender: Contender;
  readonly url: string;
  readonly turns: WrkResult[];
}

/** Turns go on till the first kind has had `least` requests answered, at most `most` turns. */
export async function throughput(
  kinds: readonly Kind[],
  { least, most }: { readonly least: number; readonly most: number },
): Promise<Steady[]> {
  const stages: Stage[] = [];
  try {
    const players: Player[] = [];
    for (const kind of kinds) {
      const stage = setStage();
      stages.push(stage);
      const contender = await started(kind, stage);
      const { url } = await nginx(stage, { to: stage.where, root: stage.path("www") });
      players.push({ kind, contender, url: `${url}/hello.php`, turns: [] });
    }
    for (const player of players) await turn(player, WARM_UP_S);
    const served = () => players[0]!.turns.reduce((sum, { sent }) => sum + sent, 0);
    for (let i = 0; i < most && served() < least; i++) {
      for (const player of players) player.turns.push(await turn(player, TURN_S));
    }
    return players.map(({ kind, turns }) => ({ kind, turns }));
  } finally {
    for (const stage of stages) await stage.end();
  }
}

async function turn({ contender, url }: Player, seconds: number): Promise<WrkResult> {
  const words = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "--latency", url];
  const { stdout, stderr, code } = await contender.stage.command([find("wrk"), ...words]);
  if (code !== 0) throw new Error(`wrk: exit ${code}: ${stderr}`);
  return readWrk(stdout);
}
