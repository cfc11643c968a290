// Asking a running supervisor. Knows nothing but the socket's path, and imports nothing heavy: a
// control command should feel instant.

import { Fault, type FaultJson } from "../fault.ts";
import { now, sleep } from "../sys/clock.ts";
import { statusOf } from "../sys/file.ts";
import { SysError } from "../sys/libc.ts";
import {
  type AdviceStatus,
  type HistoryEntry,
  LOG_ID_HEADER,
  type LogLine,
  type Operation,
  type OperationAnswer,
  type OperationOptions,
  type ProfileBatch,
  type ProfileLine,
  type ProgressStep,
  type Report,
  type Status,
  STREAM_TYPE,
  type StreamLine,
  type SupervisorStatus,
  type Trace,
} from "./contract.ts";

const RETRY_MS = 20;
/** How long it is tried again, by what the system says. */
const PATIENCE_MS: Readonly<Record<string, number>> = {
  // Nobody answers on the file: it is stale, or its supervisor is being upgraded just now.
  ECONNREFUSED: 500,
  // Somebody listens, but so many want to connect that there is no room in the queue.
  EAGAIN: 10_000,
};
/** So often in a row an answer that should go on may end with nothing in it. */
const FRUITLESS_MOST = 50;
/** Of an answer that is none. */
const SHOWN_CHARACTERS = 200;

/** A client of the supervisor behind this socket. Calls throw a Fault with exit code 3 when none is. */
export class AdminClient {
  private readonly socket: string;

  constructor(socket: string) {
    this.socket = socket;
  }

  async status(): Promise<Status> {
    const response = await ask(this.socket, "/v1/status", {});
    return (await response.json()) as Status;
  }

  async advice(): Promise<AdviceStatus> {
    const response = await ask(this.socket, "/v1/advice", {});
    return (await response.json()) as AdviceStatus;
  }

  /** The supervisor itself, without its pools: it costs the same however many there are. */
  async supervisor(): Promise<SupervisorStatus> {
    const response = await ask(this.socket, "/v1/supervisor", {});
    return (await response.json()) as SupervisorStatus;
  }

  /** What the busy workers are doing. `query`: as GET /v1/trace takes it. */
  async trace(query: URLSearchParams): Promise<Trace> {
    const response = await ask(this.socket, `/v1/trace?${query}`, {});
    return (await response.json()) as Trace;
  }

  /** Where their time goes, batch by batch, until the time is over or the reader has seen enough. */
  async *profile(query: URLSearchParams): AsyncGenerator<ProfileBatch> {
    const response = await ask(this.socket, `/v1/trace?${query}`, {});
    try {
      for await (const line of lines<ProfileLine>(response)) {
        if ("done" in line) return;
        yield line;
      }
    } catch {
      // Told below.
    }
    throw brokenOff(this.socket);
  }

  /** The config that is in force, as config/wire.ts writes it. */
  async config(): Promise<unknown> {
    const response = await ask(this.socket, "/v1/config", {});
    return response.json();
  }

  /** The configs that have served, the newest first. */
  async history(): Promise<readonly HistoryEntry[]> {
    const response = await ask(this.socket, "/v1/history", {});
    return (await response.json()) as readonly HistoryEntry[];
  }

  /** What has changed since the config of a generation; of the last other one unless it is named. */
  async difference(generation: number | null): Promise<Report> {
    const query = generation === null ? "" : `?generation=${generation}`;
    const response = await ask(this.socket, `/v1/diff${query}`, {});
    return ((await response.json()) as { readonly report: Report }).report;
  }

  /**
   * The lines of `GET /v1/logs` or `/v1/events`; with `follow` those that come, until the supervisor has stopped.
   * Goes on where it was when the supervisor becomes another program. Throws a Fault when it ends otherwise.
   */
  async *log(
    page: "logs" | "events",
    query: Readonly<Record<string, string>>,
  ): AsyncGenerator<LogLine> {
    const options = new URLSearchParams(query);
    for (let [last, fruitless] = [0, 0]; ;) {
      const before = last;
      const response = await ask(this.socket, `/v1/${page}?${options}`, {});
      options.set("log", response.headers.get(LOG_ID_HEADER) ?? "");
      try {
        for await (const line of lines<LogLine>(response)) {
          // An event may have a field of any name.
          if ("number" in line) last = line.number;
          else if ("end" in line) return;
          yield line;
        }
        if (!options.has("follow")) return;
      } catch {
        if (!options.has("follow")) throw brokenOff(this.socket);
      }
      fruitless = last === before ? fruitless + 1 : 0;
      if (fruitless > FRUITLESS_MOST) throw brokenOff(this.socket);
      await sleep(RETRY_MS);
      if (last === 0) continue;
      options.set("after", String(last));
      options.delete("lines");
    }
  }

  /** What an operation would do. Nothing is waited for, so there are no steps. Throws the Fault it would fail with. */
  async plan(operation: Operation, options: OperationOptions): Promise<Report> {
    const body = JSON.stringify({ ...options, dry_run: true });
    const response = await ask(this.socket, `/v1/${operation}`, { method: "POST", body });
    const answer = (await response.json()) as Extract<OperationAnswer, { ok: true }>;
    return answer.report;
  }

  /** Runs an operation to its end; `onStep` hears of each step. Throws the Fault it failed with. */
  async operate(
    operation: Operation,
    options: OperationOptions = {},
    onStep: (step: ProgressStep) => void = () => {},
  ): Promise<Report> {
    const response = await ask(this.socket, `/v1/${operation}`, {
      method: "POST",
      headers: { accept: STREAM_TYPE },
      body: JSON.stringify(options),
    });
    return finalReport(response, onStep, this.socket);
  }
}

async function ask(socket: string, path: string, init: RequestInit): Promise<Response> {
  const since = now();
  for (;;) {
    try {
      return await answered(
        await fetch(`http://localhost${path}`, { ...init, unix: socket, timeout: false }),
        socket,
      );
    } catch (error) {
      if (error instanceof Fault) throw error;
      const { code } = error as { code?: string };
      if (code === "ECONNRESET") throw brokenOff(socket);
      if (now() - since > (PATIENCE_MS[code ?? ""] ?? 0)) throw unreachable(socket, error);
      await sleep(RETRY_MS);
    }
  }
}

/** The answer, if it is one; any other than 200 is the Fault that it tells. */
async function answered(response: Response, socket: string): Promise<Response> {
  if (response.status === 200) return response;
  const text = await response.text();
  throw (
    faultIn(text) ??
    new Fault(`the supervisor answered with status ${response.status}`, {
      where: socket,
      hint: "it may still be starting; its log says more",
      ...(text.trim() === "" ? {} : { cause: text.trim().slice(0, SHOWN_CHARACTERS) }),
    })
  );
}

function faultIn(text: string): Fault | null {
  try {
    const { fault } = JSON.parse(text) as { fault?: FaultJson };
    return typeof fault?.message === "string" ? Fault.fromJSON(fault) : null;
  } catch {
    return null;
  }
}

async function finalReport(
  response: Response,
  onStep: (step: ProgressStep) => void,
  socket: string,
): Promise<Report> {
  let last: OperationAnswer | null = null;
  try {
    for await (const line of lines<StreamLine>(response)) {
      if ("ok" in line) last = line;
      else onStep(line);
    }
  } catch {
    throw brokenOff(socket);
  }
  if (last === null) throw brokenOff(socket);
  if (!last.ok) throw Fault.fromJSON(last.fault as FaultJson);
  return last.report;
}

async function* lines<Line = StreamLine>(response: Response): AsyncGenerator<Line> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      yield JSON.parse(rest.slice(0, end)) as Line;
      rest = rest.slice(end + 1);
    }
  }
  if (rest !== "") yield JSON.parse(rest) as Line;
}

/** The connection broke before the answer: the supervisor was killed, ended, or became another program. */
export class BrokenOff extends Fault {}

function brokenOff(socket: string): BrokenOff {
  return new BrokenOff("the supervisor ended before it had answered", {
    where: socket,
    hint: "its log says why; `fcgivisor status` shows whether it is there again",
  });
}

/** Not running (exit code 3), or not allowed to ask. */
function unreachable(socket: string, error: unknown): Fault {
  const code = (error as { code?: string }).code;
  if (code === "EACCES" || code === "EPERM" || !mayReach(socket)) {
    return new Fault("no permission to use the control socket", {
      where: socket,
      hint: "run this as the user the supervisor runs as, or set [admin] group and mode",
    });
  }
  if (code === "EAGAIN")
    return new Fault("so many connect to the control socket that its queue stays full", {
      where: socket,
      hint: `see who does (\`ss -xp\`), and who may ([admin] mode, operators, readers); try again, or stop the supervisor with kill -TERM`,
    });
  return new Fault(`fcgivisor is not running: nobody answers on ${socket}`, {
    exitCode: 3,
    hint: "start it with `fcgivisor start` (-c FILE when its config is not /etc/fcgivisor/fcgivisor.toml), or name the right socket with --socket or -c",
  });
}

function mayReach(socket: string): boolean {
  try {
    statusOf(socket);
    return true;
  } catch (error) {
    return !(error instanceof SysError && error.code === "EACCES");
  }
}
