// The manual's pages, in the binary.

import ci from "../../help/ci.md" with { type: "text" };
import config from "../../help/config.md" with { type: "text" };
import control from "../../help/control.md" with { type: "text" };
import legacy from "../../help/legacy.md" with { type: "text" };
import logs from "../../help/logs.md" with { type: "text" };
import recovery from "../../help/recovery.md" with { type: "text" };
import reload from "../../help/reload.md" with { type: "text" };
import runtimes from "../../help/runtimes.md" with { type: "text" };
import service from "../../help/service.md" with { type: "text" };
import signals from "../../help/signals.md" with { type: "text" };
import start from "../../help/start.md" with { type: "text" };
import type { Topic } from "./topics.ts";

/** The text of each; where a page has a table of settings, it is not in there yet (settings.ts). */
export const PAGES: Readonly<Record<Topic, string>> = {
  start,
  config,
  control,
  reload,
  recovery,
  logs,
  runtimes,
  service,
  ci,
  signals,
  legacy,
};
