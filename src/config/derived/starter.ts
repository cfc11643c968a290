// The text of a first config file, fitting the machine it is for. What was found there is passed in.

import { isPhpFpmName } from "../php-fpm/program.ts";

export interface Found {
  readonly root: boolean;
  /** Path of php-fpm, or of php-cgi where there is none; null: there is neither. */
  readonly php: string | null;
  /** Whom workers should run as; null: nobody fitting exists. */
  readonly user: string | null;
  /** Whom nginx runs as; null: there is no nginx. */
  readonly nginxUser: string | null;
  /** The folder with the scripts; null: unknown. */
  readonly documentRoot: string | null;
  readonly processors: number;
}

export function starterText(found: Found): string {
  return [
    "# A first config for fcgivisor. `fcgivisor check -c FILE` says what is wrong with it,",
    "# `fcgivisor help config` explains every setting, `fcgivisor schema` makes editors complete them.",
    ...(found.root ? systemWide() : []),
    "",
    "[log]",
    `file = ${found.root ? '"/var/log/fcgivisor.log"' : '"stderr"'}  # or "stderr"`,
    'level = "notice"  # debug, notice, warn, error, alert',
    "",
    "[pools.www]",
    ...listen(found),
    ...program(found),
    ...identity(found),
    `workers = ${Math.max(2, found.processors * 2)}  # requests at the same time; each costs memory`,
    "max_requests = 500  # a worker is replaced after so many, against leaks; 0 is never",
    'request_timeout = "60s"  # a longer request is ended; "0s" is never',
    'drain_timeout = "30s"  # at a reload, how long requests in flight may take',
    'env = { PATH = "/usr/local/bin:/usr/bin:/bin" }',
    "no_new_privs = true  # no setuid program gains rights; false where mail() needs a setgid sendmail",
    ...folder(found),
    "",
  ].join("\n");
}

function systemWide(): string[] {
  return ["", "[supervisor]", 'pid_file = "/run/fcgivisor/fcgivisor.pid"'];
}

function listen({ root, nginxUser }: Found): string[] {
  if (!root || nginxUser === null) {
    return [
      '# nginx: fastcgi_pass 127.0.0.1:9000;   or "/path/to/www.sock" for a Unix socket',
      'listen = "127.0.0.1:9000"',
      'allowed_clients = ["127.0.0.1"]',
    ];
  }
  return [
    "# nginx: fastcgi_pass unix:/run/fcgivisor/www.sock;",
    `listen = { address = "/run/fcgivisor/www.sock", owner = ${JSON.stringify(nginxUser)}, mode = "0660" }`,
  ];
}

function program({ php }: Found): string[] {
  if (php === null)
    return [
      "# There is no PHP on this machine yet (Debian: apt install php-fpm); any FastCGI program will do.",
      'command = ["php-fpm"]',
    ];
  const command = `command = [${JSON.stringify(php)}]`;
  if (!isPhpFpmName(php)) return [command];
  return [
    `${command}  # php-cgi does as well; what each gives: fcgivisor help runtimes`,
    '# fpm = { "access.log" = "/var/log/www.access" }  # and any other directive of php-fpm\'s own',
  ];
}

function identity({ root, user }: Found): string[] {
  if (!root) return ["# Only root can choose another user for the workers."];
  if (user !== null) return [`user = ${JSON.stringify(user)}`];
  return [
    "# No web user was found on this machine: create one, and name it here.",
    'user = "nobody"',
  ];
}

function folder({ documentRoot }: Found): string[] {
  return documentRoot === null ? [] : [`chdir = ${JSON.stringify(documentRoot)}`];
}
