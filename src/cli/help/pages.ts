// The manual's pages, in the binary.

import alerts from "../../help/alerts.yaml" with { type: "text" };
import ci from "../../help/ci.md" with { type: "text" };
import compare from "../../help/compare.md" with { type: "text" };
import config from "../../help/config.md" with { type: "text" };
import control from "../../help/control.md" with { type: "text" };
import figures from "../../help/figures.md" with { type: "text" };
import legacy from "../../help/legacy.md" with { type: "text" };
import limits from "../../help/limits.md" with { type: "text" };
import logs from "../../help/logs.md" with { type: "text" };
import metrics from "../../help/metrics.md" with { type: "text" };
import recovery from "../../help/recovery.md" with { type: "text" };
import reload from "../../help/reload.md" with { type: "text" };
import runtimes from "../../help/runtimes.md" with { type: "text" };
import scaling from "../../help/scaling.md" with { type: "text" };
import see from "../../help/see.md" with { type: "text" };
import service from "../../help/service.md" with { type: "text" };
import signals from "../../help/signals.md" with { type: "text" };
import start from "../../help/start.md" with { type: "text" };
import { grafanaDashboard } from "./grafana.ts";
import type { FileTopic, PageTopic } from "./topics.ts";

/** The text of each, with marks (`<!-- … -->`) where something is filled in by a program. */
export const PAGES: Readonly<Record<PageTopic, string>> = {
  start,
  config,
  control,
  reload,
  recovery,
  see,
  logs,
  metrics,
  runtimes,
  scaling,
  service,
  ci,
  signals,
  figures,
  compare,
  limits,
  legacy,
};

export const FILES: Readonly<Record<FileTopic, string>> = {
  grafana: grafanaDashboard(),
  alerts,
};
