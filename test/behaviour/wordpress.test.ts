// An application that people run, on Debian's own files: WordPress behind nginx, in a pool of php-fpm's. It is
// installed and used by HTTP, while its pool is reloaded again and again and PHP is replaced as a package upgrade does it.
// WORDPRESS_VIEWS is how many requests there are at least; a reload comes after each hundred.

import { expect } from "bun:test";
import { copyFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { debianFpm, runDebianFpm } from "../helper/debian-fpm.ts";
import { nginx } from "../helper/nginx.ts";
import { phpFpmProgram, SEARCH_PATH } from "../helper/packages.ts";
import { workersAt } from "../helper/processes.ts";
import { textOf } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { whileSending } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";
import { BROWSER, browser, type Browser, wordpress } from "../helper/wordpress.ts";

const VIEWS = Number(process.env["WORDPRESS_VIEWS"] ?? 500);
const VIEWS_PER_RELOAD = 100;
const TITLE = "A blog under reload";
const NAME = "editor";
const PASSWORD = "not a secret, 2026";

/** Of the first post; it leads to the one that readers see. */
const SHORT_ADDRESS = "/?p=1";

/** For nginx: what is no file is WordPress's to find. */
const NICE_ADDRESSES = "if (!-e $request_filename) { rewrite ^ /index.php last; }";

behaviour(
  "WordPress is installed and used while its pool is reloaded and PHP upgraded: no page and no comment is lost",
  {
    needs: ["wordpress", "mariadb", "php-mysql", "php-cgi", "php-fpm", "opcache", "nginx", "root"],
  },
  async (scene) => {
    const site = await wordpress(scene);
    const server = debianFpm(scene);
    const php = installPhp(scene);
    const env = { PATH: php.path, PHP_INI_SCAN_DIR: site.iniFolders };
    const { supervisor } = await runDebianFpm(scene, server, [], { env });
    const access = scene.path("access.log");
    const lines = [NICE_ADDRESSES, "fastcgi_index index.php;", `access_log ${access} combined;`];
    const front = await nginx(scene, { to: server.spot.where, root: site.root, lines });
    const visitor = browser(front.url);
    await install(visitor);
    await logIn(visitor);
    const pages = await pagesFor(visitor);
    // nginx writes its line after the answer.
    await eventually(() => textOf(access).includes(`"GET ${SHORT_ADDRESS} `));
    // WordPress warns of its own mistakes while it is installed.
    const [errorsBefore, accessBefore] = [front.errors(), textOf(access)];

    let comments = 0;
    const visit = (index: number) => {
      const page = pages[index % (pages.length + 1)];
      return page === undefined ? comment(visitor, ++comments) : view(visitor, page);
    };
    const { sent } = await whileSending(visit, async ({ further }) => {
      for (let views = 0; views < VIEWS; views += VIEWS_PER_RELOAD) {
        expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
        await further(VIEWS_PER_RELOAD);
      }
      const old = workersAt(server.spot.where);
      expect(await supervisor.control("reload", "--changed")).toMatchObject({ code: 0 });
      expect(workersAt(server.spot.where)).toEqual(old);
      const program = php.upgrade();
      expect(await supervisor.control("reload", "--changed")).toMatchObject({ code: 0 });
      const workers = workersAt(server.spot.where);
      expect(workers.length).toBe(old.length);
      for (const pid of workers) expect(statSync(`/proc/${pid}/exe`).ino).toBe(program);
      await further(VIEWS_PER_RELOAD);
    });

    expect(sent).toBeGreaterThan(VIEWS);
    expect(front.errors().slice(errorsBefore.length)).toBe("");
    const served = () => statuses(textOf(access).slice(accessBefore.length));
    const wanted = { 200: sent - comments, 302: comments };
    await eventually(() => Bun.deepEquals(served(), wanted)).catch(() => {
      expect(served()).toEqual(wanted);
    });
    expect(await visitor.get("/wp-json/wp/v2/comments?per_page=1")).toMatchObject({
      // The one that each new blog has, and those.
      total: 1 + comments,
    });
  },
);

/** Fills in the install page, to which the first visit leads. */
async function install(visitor: Browser): Promise<void> {
  const { location } = await visitor.get("/");
  expect(location).toEndWith("/wp-admin/install.php");
  const form = await visitor.get("/wp-admin/install.php");
  expect(form.body).toContain('name="weblog_title"');
  const done = await visitor.post("/wp-admin/install.php?step=2", {
    weblog_title: TITLE,
    user_name: NAME,
    admin_password: PASSWORD,
    admin_password2: PASSWORD,
    admin_email: "editor@example.com",
    blog_public: "0",
  });
  expect(done.body).toContain("WordPress has been installed");
}

async function logIn(visitor: Browser): Promise<void> {
  // Its cookie shows WordPress that cookies are kept.
  await visitor.get("/wp-login.php");
  const form = { log: NAME, pwd: PASSWORD, "wp-submit": "Log In", testcookie: "1" };
  const { status, location } = await visitor.post("/wp-login.php", form);
  expect([status, location]).toEqual([302, expect.stringContaining("/wp-admin/")]);
}

interface Wanted {
  readonly path: string;
  /** It has this, and ends with that. */
  readonly text: string;
  readonly end: string;
}

async function pagesFor(visitor: Browser): Promise<Wanted[]> {
  const { location } = await visitor.get(SHORT_ADDRESS);
  const post = new URL(location).pathname;
  return [
    { path: "/", text: "Hello world!", end: "</html>" },
    { path: post, text: "Leave a comment", end: "</html>" },
    { path: "/?feed=rss2", text: `<title>${TITLE}</title>`, end: "</rss>" },
    { path: "/wp-admin/edit.php", text: "Howdy, ", end: "</html>" },
    { path: "/wp-json/wp/v2/posts", text: '"slug":"hello-world"', end: "}]" },
  ];
}

/** Throws when it is not the whole page. */
async function view(visitor: Browser, { path, text, end }: Wanted): Promise<void> {
  const { status, body } = await visitor.get(path);
  if (status === 200 && body.includes(text) && body.trimEnd().endsWith(end)) return;
  throw new Error(`${path}: ${status}, ${JSON.stringify(body.slice(-500))}`);
}

/** Throws when it is not accepted. WordPress refuses the same text twice. */
async function comment(visitor: Browser, number: number): Promise<void> {
  const form = { comment: `Comment ${number}`, comment_post_ID: "1" };
  const { status, location, body } = await visitor.post("/wp-comments-post.php", form);
  if (status === 302 && location.includes("#comment-")) return;
  throw new Error(`comment ${number}: ${status}, ${JSON.stringify(body.slice(-500))}`);
}

/** How many answers of each status the browser had, by nginx's own count. */
function statuses(log: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of log.split("\n").filter((each) => each.includes(BROWSER))) {
    const status = / HTTP\/1\.1" (\d+) /.exec(line)?.[1] ?? line;
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

/** A php-fpm of the scene's own, in a folder that comes first in PATH. */
function installPhp(scene: Scene) {
  const folder = scene.path("usr/sbin");
  const program = join(folder, "php-fpm8.2");
  mkdirSync(folder, { recursive: true });
  copyFileSync(phpFpmProgram()!, program);
  return {
    path: `${folder}:${SEARCH_PATH}`,
    /** As dpkg does it; returns the inode of the new program. */
    upgrade(): number {
      copyFileSync(program, `${program}.dpkg-new`);
      renameSync(`${program}.dpkg-new`, program);
      return statSync(program).ino;
    },
  };
}
