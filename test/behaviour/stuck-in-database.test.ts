// The scene that all of this is for: at three in the morning a script hangs in a read from its database. Is it us, or
// the database? Which request, since when, in which line of which file? Each way of looking gives the answer alone.

import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { openPage } from "../helper/browser.ts";
import { nginx } from "../helper/nginx.ts";
import { phpPool, tcpSpot } from "../helper/pool.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const SCRIPT = (port: number) => `<?php
class Orders {
    static function open() {
        $db = stream_socket_client("tcp://127.0.0.1:${port}");
        stream_set_timeout($db, 900);
        return fread($db, 100);
    }
}
echo Orders::open();
`;

/** Takes connections and says nothing, until it is told to. */
async function silentDatabase(scene: Scene) {
  const port = await scene.port();
  const clients: Socket[] = [];
  const server = createServer((client) => {
    client.on("error", () => {});
    clients.push(client);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  scene.atEnd(() => {
    for (const client of clients) client.destroy();
    server.close();
  });
  return {
    port,
    answer: (text: string) => {
      for (const client of clients) client.end(text);
    },
  };
}

behaviour(
  "a script that is stuck in its database is found by status, trace, the slow log and the page",
  { needs: ["php-cgi", "nginx", "chromium"] },
  async (scene) => {
    const database = await silentDatabase(scene);
    const file = scene.write("site/orders.php", SCRIPT(database.port), 0o644);
    scene.write("site/index.php", "<?php echo 'open';", 0o644);
    const spot = await tcpSpot(scene);
    const slow_log = scene.path("slow.log");
    const listen = `127.0.0.1:${await scene.port()}`;
    const supervisor = await scene.start({
      metrics: { listen, page: true },
      pools: { www: phpPool(spot, { slow_timeout: "1s", slow_log }) },
    });
    const web = await nginx(scene, { to: spot.where, root: scene.path("site") });
    const stuck = web.get("/orders.php?id=7");
    stuck.catch(() => {});
    // The others are served meanwhile.
    expect((await web.get("/index.php")).body).toBe("open");

    // status: which request, and since when.
    const row = /^(\d+\.\d s) +(\d+) +www +GET \/orders\.php/m;
    const found = await eventually(async () => {
      return row.exec((await supervisor.control("status")).stdout);
    });
    const worker = found[2]!;

    // trace: in which line, and for whom it waits. So it is the database.
    const on = `(reading from|waiting for) 127\\.0\\.0\\.1:${database.port} \\(\\w+\\)`;
    const { stdout } = await supervisor.control("trace", "www");
    expect(stdout).toMatch(new RegExp(`^worker ${worker} of pool www, busy for .*: GET /orders`));
    expect(stdout).toMatch(new RegExp(`^  it is   ${on}$`, "m"));
    const stack = stdout.split("\n").slice(-4);
    expect(stack.join("\n")).toMatch(
      new RegExp(`^  fread\\(\\)\n  Orders::open\\(\\) +${file}:6\n  \\{main\\} +${file}:9\n$`),
    );

    // The slow log: the same, for the morning after.
    const entry = await eventually(() => {
      const text = existsSync(slow_log) ? readFileSync(slow_log, "utf8") : "";
      return text.includes("\n\n") ? text : null;
    });
    expect(entry).toContain(`[pool www] pid ${worker}\nrequest = GET /orders.php\n`);
    expect(entry).toMatch(new RegExp(`^waiting = ${on}$`, "m"));
    expect(entry).toContain(`fread()\nOrders::open() ${file}:6\n{main} ${file}:9\n`);

    // The page, for who has no terminal there.
    const page = await openPage(scene, `http://${listen}/`);
    const shown = new RegExp(
      `www\\s+${worker}\\s+GET /orders\\.php\\s+fread\\(\\) at orders\\.php:6, ${on}`,
    );
    const text = await eventually(async () => {
      const body = await page.run<string>("document.body.innerText");
      return shown.test(body) ? body : null;
    });
    // The query is nobody's business there.
    expect(text).not.toContain("id=7");
    expect(await supervisor.http("/metrics").then((answer) => answer.text())).toContain(
      'fcgivisor_pool_slow_requests_total{pool="www"} 1\n',
    );

    // Looking has done nothing to it.
    database.answer("4711");
    expect(await stuck).toEqual({ status: 200, body: "4711" });
  },
);
