// Who may see what on the listener of [metrics]: everybody who brings the token, where there is one. A browser that
// was led there by another name (DNS rebinding) sees nothing.

import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import type { MetricsConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";
import type { RecentLog } from "../log/recent.ts";
import { ipBytes } from "../sys/socket/ip.ts";
import { faultAnswer } from "./answer.ts";
import type { Asked, Handle } from "./http.ts";
import { type Looking, monitoringPages } from "./open-pages.ts";
import { pagePages } from "./page/page.ts";
import { look } from "./routes.ts";

/** Characters of a token. */
const SHORTEST = 16;
const LONGEST = 4096;
/** Whoever asks for these learns nothing, and often cannot bring a token. */
const OPEN = ["/healthz", "/readyz"];

/** `token`: see tokenOf. */
export function metricsRoutes(
  looking: Looking & { readonly recent: RecentLog },
  config: MetricsConfig,
  token: string | null,
): Handle {
  const page = config.page ? pagePages(looking, looking.recent) : {};
  const pages = { ...monitoringPages(looking), ...page };
  return async (asked) => {
    const refusal = OPEN.includes(asked.url.pathname) ? null : refused(asked, config, token);
    return refusal ?? look(pages, asked);
  };
}

/** The token that requests must bring; null = none. Throws the Fault of a file that has none. */
export function tokenOf({ tokenFile }: MetricsConfig): string | null {
  if (tokenFile === null) return null;
  const wrong = (message: string, cause?: unknown) =>
    new Fault(message, {
      where: `[metrics] token_file ${tokenFile}`,
      hint: `make one: (umask 077; openssl rand -hex 32 > ${tokenFile})`,
      ...(cause === undefined ? {} : { cause }),
    });
  let token: string;
  try {
    token = readFileSync(tokenFile, "utf8").trim();
  } catch (error) {
    throw wrong("the token for metrics cannot be read", error);
  }
  if (token.length < SHORTEST || token.length > LONGEST || /[^!-~]/.test(token))
    throw wrong(
      `the file holds no token: ${SHORTEST} or more printable characters without a blank`,
    );
  return token;
}

function refused(asked: Asked, { listen }: MetricsConfig, token: string | null): Response | null {
  if (token !== null) return brings(asked, token) ? null : unauthorized();
  if (listen?.kind === "unix" || isOwnName(asked.host)) return null;
  const fault = new Fault("this is served under an IP address or localhost only", {
    hint: "a proxy in front must send such a Host, or set [metrics] token_file",
  });
  return faultAnswer(fault, 403);
}

/** As bearer, or as the password that a browser asks for, whatever the name. */
function brings({ authorization }: Asked, token: string): boolean {
  const [scheme = "", given = ""] = authorization.split(" ", 2);
  if (scheme.toLowerCase() === "bearer") return isSame(given, token);
  if (scheme.toLowerCase() !== "basic") return false;
  const pair = Buffer.from(given, "base64").toString();
  return isSame(pair.slice(pair.indexOf(":") + 1), token);
}

/** In a time that tells nothing of how much of it is right. */
function isSame(given: string, token: string): boolean {
  const [one, other] = [given, token].map((text) => createHash("sha256").update(text).digest());
  return timingSafeEqual(one!, other!);
}

function unauthorized(): Response {
  const fault = new Fault("the token is missing or wrong", {
    hint: "send `Authorization: Bearer TOKEN`, or the token as the password of any user",
  });
  return faultAnswer(fault, 401, { "www-authenticate": 'Bearer, Basic realm="fcgivisor"' });
}

/** Host is an address or localhost, with or without a port. */
function isOwnName(host: string): boolean {
  const name = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(host);
  const own = name?.[1] ?? name?.[2] ?? "";
  return own.toLowerCase() === "localhost" || ipBytes(own) !== null;
}
