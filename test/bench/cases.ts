// What is done to each contender while requests come in. A case says what it came to in a few words;
// what clients noticed is the load's to say.

import { fcgi } from "../helper/fcgi.ts";
import { alive } from "../helper/processes.ts";
import { eventually } from "../helper/wait.ts";
import { serves, type Answer, type Contender } from "./contender.ts";

export interface Outcome {
  readonly words: string;
  /** Requests sent beside the load, and those of them that were lost. */
  readonly besides?: { readonly sent: number; readonly lost: number };
}

export interface Case {
  readonly name: string;
  /** Seconds of load. */
  readonly seconds: number;
  readonly applies: (contender: Contender) => boolean;
  readonly play: (contender: Contender) => Promise<Outcome>;
}

const always = (): boolean => true;
const LONG_MS = 5000;
const FLOOD = 25;
/** One that manages a reload in a second after the other would need as many. */
const FLOOD_MS = 10_000;

/** The noise of the machine, below which no other row can be. */
export const NOTHING: Case = {
  name: "nothing happens",
  seconds: 5,
  applies: always,
  play: () => Promise.resolve({ words: "" }),
};

export const PLAIN: Case = {
  name: "reload, three times",
  seconds: 6,
  applies: always,
  async play(contender) {
    const answers: Answer[] = [];
    for (let i = 0; i < 3; i++) {
      answers.push(await contender.reload());
      if (i < 2) await Bun.sleep(1200);
    }
    return { words: wordsOf(answers.find(({ code }) => code !== 0) ?? answers[0]!) };
  },
};

export const LONG: Case = {
  name: "reload, a 5 s request in flight",
  seconds: 8,
  applies: always,
  async play(contender) {
    const { stage } = contender;
    const script = stage.script("slow.php");
    const long = fcgi(stage.where, { script, query: `ms=${LONG_MS}`, timeout: LONG_MS * 3 }).then(
      ({ body }) => body.startsWith("slept"),
      () => false,
    );
    await Bun.sleep(300);
    const [answer, finished] = await Promise.all([contender.reload(), long]);
    return {
      words: `${wordsOf(answer)}; the long request ${finished ? "finished" : "was cut"}`,
      besides: { sent: 1, lost: finished ? 0 : 1 },
    };
  },
};

export const BROKEN: Case = {
  name: "reload with a broken config",
  seconds: 4,
  applies: always,
  play: async (contender) => ({ words: wordsOf(await contender.applyBroken()) }),
};

export const UNSTARTABLE: Case = {
  name: "reload, the new command cannot start",
  seconds: 6,
  applies: ({ applyUnstartable }) => applyUnstartable !== null,
  play: async (contender) => ({ words: wordsOf(await contender.applyUnstartable!()) }),
};

export const STORM: Case = {
  name: `${FLOOD} reloads, 0 to ${FLOOD - 1} ms apart`,
  seconds: 6,
  applies: always,
  async play(contender) {
    const pokes: Promise<boolean>[] = [];
    for (let gap = 0; gap < FLOOD; gap++) {
      await Bun.sleep(gap);
      pokes.push(inTime(contender.poke()));
    }
    const failed = (await Promise.all(pokes)).filter((taken) => !taken).length;
    return { words: failed === 0 ? "all taken" : `${failed} not done after ${FLOOD_MS / 1000} s` };
  },
};

/** Whether it is over in time, and well. */
function inTime(poke: Promise<unknown>): Promise<boolean> {
  const taken = poke.then(
    () => true,
    () => false,
  );
  return Promise.race([taken, Bun.sleep(FLOOD_MS).then(() => false)]);
}

export const KILLED: Case = {
  name: "kill -9 of the manager, then start",
  seconds: 5,
  applies: always,
  async play(contender) {
    const pid = contender.managerPid();
    process.kill(pid, "SIGKILL");
    await eventually(() => !alive(pid), { what: `process ${pid} is gone` });
    await Bun.sleep(1000);
    return { words: `start: ${wordsOf(await contender.start())}` };
  },
};

/** What the command said of itself. */
function wordsOf({ code, words }: Answer): string {
  return code === 0 ? "exit 0" : `exit ${code}${words === "" ? "" : `, "${shortened(words)}"`}`;
}

const WORDS_MOST = 90;

/** Paths of the stage's folder say nothing to a reader. */
function shortened(words: string): string {
  const plain = words.replace(/^\[[^\]]*\] /, "").replaceAll(/\/\S*\/fv-bench-[^/\s]+\//g, "");
  return plain.length > WORDS_MOST ? `${plain.slice(0, WORDS_MOST)}…` : plain;
}

/** What is not back by then does not come back by itself. */
const BACK_MS = 3000;

/** Told after the load: whether it was only shaken, or is down till somebody comes. */
export async function aftermath(contender: Contender): Promise<string> {
  const back = eventually(() => serves(contender.stage), { longest: BACK_MS, every: 100 });
  return back.then(
    () => "serves",
    () => "**down**",
  );
}
