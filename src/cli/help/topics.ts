// The topics of the manual, in the order they are listed. Their pages are apart (pages.ts): a list of them
// needs no page.

export const TOPICS = [
  { name: "start", summary: "what it is, and a tour of five minutes" },
  { name: "config", summary: "every setting, with its default" },
  { name: "control", summary: "commands, exit codes, the control socket" },
  { name: "reload", summary: "what a reload does, and what it costs" },
  { name: "recovery", summary: "when the supervisor dies, and upgrade" },
  { name: "logs", summary: "what is logged, and rotation" },
  { name: "runtimes", summary: "php-cgi groups, libfcgi, fcgiwrap, others" },
  { name: "service", summary: "systemd, init scripts, containers" },
  { name: "ci", summary: "smoke requests, tests of your own, pipelines" },
  { name: "signals", summary: "what signals do, here and to workers" },
  { name: "legacy", summary: "coming from php-fpm, of 2008 and of today" },
] as const;

export type Topic = (typeof TOPICS)[number]["name"];
