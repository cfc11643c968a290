// The page on the listener of [metrics], in a real browser: live, safe whatever a request says, for dark and light, for
// a phone, for a keyboard and for those who hear it read.

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openPage, type Page } from "../helper/browser.ts";
import { hold } from "../helper/gate.ts";
import { barePool, phpPool, type Spot, tcpSpot } from "../helper/pool.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const BROWSER = { needs: ["chromium", "php-cgi"] } as const;
const AXE = readFileSync(join(import.meta.dir, "../../node_modules/axe-core/axe.min.js"), "utf8");

async function served(scene: Scene, metrics: Record<string, unknown> = { page: true }) {
  const spot: Spot = await tcpSpot(scene);
  const listen = `127.0.0.1:${await scene.port()}`;
  const pools = {
    www: phpPool(spot),
    "a-pool-with-a-name-as-long-as-the-name-of-a-pool-may-be-at-most": barePool(
      scene,
      await tcpSpot(scene),
    ),
  };
  const supervisor = await scene.start({ metrics: { listen, ...metrics }, pools });
  return { supervisor, spot, url: `http://${listen}` };
}

async function says(page: Page, text: string): Promise<void> {
  const found = () =>
    page.run<boolean>(`document.body.innerText.includes(${JSON.stringify(text)})`);
  await eventually(found, { what: `the page says ${text}` });
}

/** Presses a key that has no text. */
async function press(page: Page, key: string, code: number, text = ""): Promise<void> {
  const params = { key, code: key, windowsVirtualKeyCode: code, ...(text === "" ? {} : { text }) };
  await page.send("Input.dispatchKeyEvent", { type: "keyDown", ...params });
  await page.send("Input.dispatchKeyEvent", { type: "keyUp", ...params });
}

behaviour("it is live, and what a request says does nothing to it", BROWSER, async (scene) => {
  const { supervisor, spot, url } = await served(scene);
  const page = await openPage(scene, `${url}/`);
  await says(page, "0 of 2, at most 0");
  const evil = '/<img src=x onerror="document.title=1">';
  const params = { REQUEST_URI: evil, SCRIPT_NAME: `${evil}?token=secret` };
  const held = await hold(scene, spot, { script: scene.fixture("php/gate.php"), params });
  await says(page, "1 of 2, at most 1");
  await says(page, `GET ${evil}`);
  const body = await page.run<string>("document.body.innerText");
  expect(body).not.toContain("secret");
  expect(body).toMatch(new RegExp(`\\d\\.\\d s\\s+www\\s+${held.worker}\\s`));
  expect(body).toContain("is ready after");
  // The function that it is in, and where.
  await says(page, ") at gate.php:");
  expect(await page.run<number>("document.images.length")).toBe(0);
  held.open();
  await held.answer;
  await says(page, "0 of 2, at most 1");
  // It has asked for nothing elsewhere, and its own policy had nothing to forbid.
  expect(page.asked.filter((each) => !each.startsWith(url) && !each.startsWith("data:"))).toEqual(
    [],
  );
  expect(page.complaints).toEqual([]);
  expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
  await says(page, "no answer from the supervisor; trying again");
});

behaviour("no script but its own runs there", BROWSER, async (scene) => {
  const { url } = await served(scene);
  const answer = await fetch(`${url}/`, { keepalive: false });
  const policy = answer.headers.get("content-security-policy")!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain("unsafe");
  const page = await openPage(scene, `${url}/`);
  await says(page, "serving");
  await page.run(`{
    const script = document.createElement("script");
    script.textContent = "window.foreign = true";
    document.body.append(script);
    fetch("http://127.0.0.1:1/").catch(() => {});
  }`);
  expect(await page.run<boolean>("window.foreign === true")).toBe(false);
  await eventually(
    () => page.complaints.filter((each) => /Content Security Policy/.test(each)).length >= 2,
  );
});

behaviour(
  "axe finds nothing, in light and dark, on a screen and on a phone",
  BROWSER,
  async (scene) => {
    const { spot, url } = await served(scene);
    const held = await hold(scene, spot, { script: scene.fixture("php/gate.php") });
    const page = await openPage(scene, `${url}/`);
    await says(page, "1 of 2");
    await page.run(AXE);
    for (const [width, height] of [
      [1280, 900],
      [390, 844],
      [320, 640],
    ] as const)
      for (const scheme of ["light", "dark"]) {
        const features = [{ name: "prefers-color-scheme", value: scheme }];
        await page.send("Emulation.setEmulatedMedia", { features });
        const metrics = { width, height, deviceScaleFactor: 1, mobile: width < 1000 };
        await page.send("Emulation.setDeviceMetricsOverride", metrics);
        const found = await page.run<unknown[]>(
          `axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) => [id, impact, nodes.map(({ html }) => html)]))`,
        );
        expect(found, `${width} ${scheme}`).toEqual([]);
        // Nothing has to be pushed aside to be read.
        expect(await page.run<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(
          width,
        );
        const colours = await page.run<string>("getComputedStyle(document.body).backgroundColor");
        expect(colours).toBe(scheme === "dark" ? "rgb(13, 17, 23)" : "rgb(250, 250, 250)");
      }
    held.open();
    await held.answer;
  },
);

behaviour("it can be paused with the keyboard alone", BROWSER, async (scene) => {
  const { spot, url } = await served(scene);
  const page = await openPage(scene, `${url}/`);
  await says(page, "0 of 2");
  await press(page, "Tab", 9);
  expect(await page.run<string>("document.activeElement.id")).toBe("pause");
  await press(page, " ", 32, " ");
  await says(page, "Go on");
  const held = await hold(scene, spot, { script: scene.fixture("php/gate.php") });
  const before = page.asked.length;
  await press(page, " ", 32, " ");
  await says(page, "1 of 2");
  expect(page.asked.length).toBeGreaterThan(before);
  held.open();
  await held.answer;
});

behaviour(
  "it is there only where it is wanted, and for who brings the token",
  {},
  async (scene) => {
    const without = await served(scene, {});
    expect((await fetch(`${without.url}/`, { keepalive: false })).status).toBe(404);
    expect((await fetch(`${without.url}/status.json`, { keepalive: false })).status).toBe(404);
    expect(await without.supervisor.control("stop")).toMatchObject({ code: 0 });
    const token_file = scene.write("token", "0123456789abcdef");
    const { url } = await served(scene, { page: true, token_file });
    for (const path of ["/", "/status.json"]) {
      const refused = await fetch(url + path, { keepalive: false });
      expect(refused.status).toBe(401);
      expect(refused.headers.get("www-authenticate")).toContain("Basic realm=");
      const headers = { authorization: `Basic ${btoa("me:0123456789abcdef")}` };
      expect((await fetch(url + path, { keepalive: false, headers })).status).toBe(200);
    }
  },
);
