// What a request or another program says must not act on the terminal of whoever looks: no command, no JSON
// and no answer on the control socket holds a terminal sequence or a forged line.

import { expect } from "bun:test";
import { hold } from "../helper/gate.ts";
import { phpPool, tcpSpot } from "../helper/pool.ts";
import { behaviour } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";
import type { Status } from "../../src/admin/contract.ts";

/** Clears a screen, sets its title, begins a line of its own, and turns round what follows. */
const EVIL = "/x\x1b[2J\x1b]0;title\x07\nWORKER forged\r\x7f\u009b2J\u202etxt.\u2066\u2028";
// Everything that acts on a terminal, but for the line end and the tab.
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

behaviour(
  "the URL of a request does nothing to a terminal, in text and as JSON",
  { needs: ["php-cgi", "curl"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
    const script = scene.fixture("php/gate.php");
    const params = { REQUEST_URI: EVIL, SCRIPT_NAME: EVIL };
    const { answer, open } = await hold(scene, spot, { script, params });
    const text = await supervisor.control("status");
    expect(text.stdout).toContain("/x\\x1b[2J\\x1b]0;title\\x07\\x0aWORKER forged");
    expect(text.stdout).not.toMatch(UNSAFE);
    expect(text.stdout).not.toMatch(/^WORKER forged/m);
    const curl = ["curl", "-s", "--unix-socket", supervisor.socket, "http://x/v1/status"];
    for (const json of [await supervisor.control("status", "--json"), await scene.command(curl)]) {
      expect(json.stdout).not.toMatch(UNSAFE);
      // Whoever reads the JSON gets what was said.
      const { pools } = JSON.parse(json.stdout) as Status;
      const requests = pools[0]!.groups.flatMap(({ workers }) => workers.map((w) => w.request));
      expect(requests.find((request) => request !== null)?.uri).toStartWith(EVIL);
    }
    open();
    await answer;
  },
);

behaviour("nor does the command line of who holds an address", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const port = "port" in spot.where ? spot.where.port : 0;
  const perl = `use Socket; socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
    bind(S, sockaddr_in(${port}, inet_aton("127.0.0.1"))) or die; listen(S, 5); $| = 1; print STDERR "ok\\n"; sleep 600;`;
  const squatter = scene.spawn(["perl", "-e", perl, EVIL]);
  await eventually(() => squatter.stderr().includes("ok"), { what: "somebody has the address" });
  const config = scene.config({ pools: { www: phpPool(spot) } });
  const start = await scene.fcgivisor(["start", "-c", config]);
  expect(start).toMatchObject({ code: 1 });
  expect(start.stderr).toContain(`in use by process ${squatter.pid} (perl`);
  expect(start.stderr).not.toMatch(UNSAFE);
  expect(start.stderr).not.toMatch(/^WORKER forged/m);
});

behaviour("nor what an impostor on the control socket says", {}, async (scene) => {
  const socket = scene.path("false.sock");
  const fault = { message: EVIL, where: EVIL, hint: EVIL, cause: EVIL };
  const server = Bun.serve({ unix: socket, fetch: () => Response.json({ ok: false, fault }) });
  scene.atEnd(() => server.stop(true));
  for (const words of [["reload"], ["reload", "--json"]]) {
    const { code, stdout, stderr } = await scene.fcgivisor([...words, "--socket", socket]);
    expect(code).toBe(1);
    expect(stderr).toContain("\\x1b[2J");
    expect(`${stdout}${stderr}`).not.toMatch(UNSAFE);
    expect(stderr).not.toMatch(/^WORKER forged/m);
  }
});

behaviour(
  "nor what a program answers to `request`, on a terminal",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
    const body = `<?php echo "${"\\u{1b}"}[2J"; error_log("${"\\u{1b}"}[2J");`;
    scene.write("www/evil.php", body);
    const words = [
      "request",
      "/evil.php",
      "--root",
      scene.path("www"),
      "-c",
      supervisor.configFile,
    ];
    const piped = await scene.fcgivisor(words);
    // Into a pipe it comes out as it is.
    expect(piped.stdout).toBe("\x1b[2J");
    expect(piped.stderr).not.toMatch(UNSAFE);
  },
);
