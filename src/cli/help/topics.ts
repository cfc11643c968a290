// The topics of the manual, in the order they are listed. Their pages are apart (pages.ts): a list of them
// needs no page.

export const TOPICS = [
  { name: "start", summary: "what it is, and a tour of five minutes" },
  { name: "config", summary: "every setting, with its default" },
  { name: "control", summary: "commands, exit codes, the control socket" },
  { name: "reload", summary: "what a reload does, and what it costs" },
  { name: "recovery", summary: "when the supervisor dies, and upgrade" },
  { name: "see", summary: "what is it doing: trace, the slow log" },
  { name: "logs", summary: "what is logged, and rotation" },
  { name: "metrics", summary: "for Prometheus, Grafana, and a page to look at" },
  { name: "grafana", summary: "a dashboard for Grafana, to import" },
  { name: "alerts", summary: "alert rules for Prometheus, to save" },
  { name: "runtimes", summary: "php-cgi groups, libfcgi, fcgiwrap, others" },
  { name: "scaling", summary: "pools that follow their load: parked workers" },
  { name: "service", summary: "systemd, init scripts, containers" },
  { name: "ci", summary: "smoke requests, tests of your own, pipelines" },
  { name: "signals", summary: "what signals do, here and to workers" },
  { name: "figures", summary: "what was measured, beside php-fpm and supervisord" },
  { name: "compare", summary: "other programs of the kind" },
  { name: "limits", summary: "what it cannot do, and what to do about it" },
  { name: "legacy", summary: "coming from php-fpm, of 2008 and of today" },
] as const;

/** Files for other programs, which are no pages of the manual. */
const FILES = ["grafana", "alerts"] as const;

export type Topic = (typeof TOPICS)[number]["name"];
export type FileTopic = (typeof FILES)[number];
export type PageTopic = Exclude<Topic, FileTopic>;

export function isFile(topic: Topic): topic is FileTopic {
  return FILES.some((file) => file === topic);
}
