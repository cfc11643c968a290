// WordPress as Debian packages it, with a folder and a database of a scene's own, and a browser that fills in its forms.

import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Lost } from "./fcgi.ts";
import { mariadb } from "./mariadb.ts";
import { PHP_MODULES, UNPACKED } from "./packages.ts";
import type { Scene } from "./scene.ts";
import { LONGEST_MS } from "./wait.ts";

export interface WordPress {
  /** Its folder, the document root. */
  readonly root: string;
  /** What PHP_INI_SCAN_DIR has to be for it: the modules of the machine's PHP and those that are unpacked. */
  readonly iniFolders: string;
}

/** Where Debian's PHP has the list of its modules; php-fpm's own folder is there only where it is installed. */
const MACHINE_MODULES = "/etc/php/8.2/cgi/conf.d";

/** Not installed yet: it waits for whoever opens its first page. Needs root. */
export async function wordpress(scene: Scene): Promise<WordPress> {
  const root = scene.path("wordpress");
  const source = join(UNPACKED, "usr/share/wordpress");
  // The links lead to scripts for the browser and to readers of music files, of other packages.
  cpSync(source, root, { recursive: true, verbatimSymlinks: true });
  const socket = await mariadb(scene, "wordpress");
  scene.write("wordpress/wp-config.php", configText(socket));
  const folder = scene.path("modules");
  mkdirSync(folder);
  scene.write("modules/50-wordpress.ini", iniText());
  return { root, iniFolders: `${MACHINE_MODULES}:${folder}` };
}

/** In place of Debian's, which looks for the administrator's in /etc. */
function configText(socket: string): string {
  return `<?php
define("DB_NAME", "wordpress");
define("DB_USER", "wordpress");
define("DB_PASSWORD", "");
define("DB_HOST", "localhost:${socket}");
define("DB_CHARSET", "utf8mb4");
define("AUTH_KEY", "of this test");
// It asks wordpress.org for news and updates, and waits for the answer.
define("WP_HTTP_BLOCK_EXTERNAL", true);
$table_prefix = "wp_";
if (!defined("ABSPATH")) define("ABSPATH", __DIR__ . "/");
require_once ABSPATH . "wp-settings.php";
`;
}

function iniText(): string {
  const modules = ["mysqlnd", "mysqli"].map((name) => join(UNPACKED, PHP_MODULES, `${name}.so`));
  const lines = modules.map((file) => `extension = ${file}`);
  // It sends a letter to the new administrator.
  return `${lines.join("\n")}\nsendmail_path = /bin/true\n`;
}

export interface Page {
  readonly status: number;
  /** Where it leads to; "" for a page that is one. */
  readonly location: string;
  readonly body: string;
  /** How many there are of what the interface for programs lists; 0 for other pages. */
  readonly total: number;
}

export interface Browser {
  readonly get: (path: string) => Promise<Page>;
  readonly post: (path: string, form: Readonly<Record<string, string>>) => Promise<Page>;
}

/** Keeps cookies, goes nowhere by itself; an answer that is nginx's own, for want of one, is `Lost`. */
export function browser(url: string): Browser {
  const cookies = new Map<string, string>();
  const ask = async (path: string, init: RequestInit = {}): Promise<Page> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url + path, {
      ...init,
      headers: { cookie, "user-agent": BROWSER },
      redirect: "manual",
      keepalive: false,
      signal: AbortSignal.timeout(LONGEST_MS),
    });
    const body = await response.text();
    if (response.status === 502) throw new Lost("reset", "502 from nginx");
    if (response.status === 504) throw new Lost("timeout", "504 from nginx");
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (name !== undefined) cookies.set(name, value!);
    }
    const location = response.headers.get("location") ?? "";
    const total = Number(response.headers.get("x-wp-total"));
    return { status: response.status, location, body, total };
  };
  return {
    get: (path) => ask(path),
    post: (path, form) => ask(path, { method: "POST", body: new URLSearchParams(form) }),
  };
}

/** How the browser calls itself in an access log, unlike WordPress when it asks itself. */
export const BROWSER = "a-browser-of-the-tests";
