// A real browser without a window (Chromium), led over its debugging protocol: what a person would see of a page.

import { mkdirSync, rmSync } from "node:fs";
import { findProgram } from "./packages.ts";
import type { Scene } from "./scene.ts";
import { eventually } from "./wait.ts";

export interface Page {
  /** The value of an expression in the page; throws what the page throws. */
  readonly run: <T>(expression: string) => Promise<T>;
  /** A command of the protocol. */
  readonly send: (method: string, params?: object) => Promise<Record<string, unknown>>;
  /** All that it has asked for, as URLs. */
  readonly asked: readonly string[];
  /** What it complained about. */
  readonly complaints: readonly string[];
}

export async function openPage(scene: Scene, url: string): Promise<Page> {
  const profile = scene.path("chromium");
  mkdirSync(profile);
  const child = scene.spawn([
    findProgram("chromium")!,
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-port=0",
    `--user-data-dir=${profile}`,
    "about:blank",
  ]);
  scene.atEnd(async () => {
    child.kill("SIGTERM");
    await child.exited;
    // Its helpers write a little longer than it lives.
    await eventually(() => {
      rmSync(profile, { recursive: true, force: true });
      return true;
    });
  });
  const port = await eventually(() => /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(child.stderr())?.[1], {
    what: "the browser listens",
  });
  const targets = await eventually(async () => {
    const list = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
      readonly type: string;
      readonly webSocketDebuggerUrl: string;
    }[];
    return list.find(({ type }) => type === "page");
  });
  const page = await attached(targets.webSocketDebuggerUrl);
  await page.send("Page.navigate", { url });
  await eventually(() =>
    page.run<boolean>(`document.readyState === "complete" && location.href !== "about:blank"`),
  );
  return page;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

async function attached(address: string): Promise<Page> {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  const [asked, complaints]: [string[], string[]] = [[], []];
  socket.onmessage = ({ data }) => {
    const { id, method, params, result, error } = JSON.parse(String(data)) as Message;
    if (id !== undefined) {
      const promise = waiting.get(id);
      if (error === undefined) promise?.resolve(result ?? {});
      else promise?.reject(new Error(error.message));
    }
    if (method === "Network.requestWillBeSent")
      asked.push((params?.["request"] as { url: string }).url);
    if (method === "Log.entryAdded") complaints.push(JSON.stringify(params?.["entry"]));
    if (method === "Runtime.exceptionThrown") complaints.push(JSON.stringify(params));
  };
  let last = 0;
  const send: Page["send"] = (method, params = {}) => {
    const promise = Promise.withResolvers<Record<string, unknown>>();
    waiting.set(++last, promise);
    socket.send(JSON.stringify({ id: last, method, params }));
    return promise.promise;
  };
  for (const domain of ["Page", "Runtime", "Network", "Log"]) await send(`${domain}.enable`);
  const run = async <T>(expression: string): Promise<T> => {
    const answer = await send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (answer["exceptionDetails"] !== undefined)
      throw new Error(JSON.stringify(answer["exceptionDetails"]));
    return (answer["result"] as { value: T }).value;
  };
  return { run, send, asked, complaints };
}
