// The manual's pages, in the binary, in the order they are listed.

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

export interface ManualPage {
  readonly name: string;
  readonly summary: string;
  readonly text: string;
}

export const PAGES: readonly ManualPage[] = [
  { name: "start", summary: "what it is, and a tour of five minutes", text: start },
  { name: "config", summary: "every setting, with its default", text: config },
  { name: "control", summary: "commands, exit codes, the control socket", text: control },
  { name: "reload", summary: "what a reload does, and what it costs", text: reload },
  { name: "recovery", summary: "when the supervisor dies, and upgrade", text: recovery },
  { name: "logs", summary: "what is logged, and rotation", text: logs },
  { name: "runtimes", summary: "php-cgi groups, libfcgi, fcgiwrap, others", text: runtimes },
  { name: "service", summary: "systemd, init scripts, containers", text: service },
  { name: "signals", summary: "what signals do, here and to workers", text: signals },
  { name: "legacy", summary: "coming from php-fpm, of 2008 and of today", text: legacy },
];
