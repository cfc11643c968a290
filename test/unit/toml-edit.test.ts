// The number of workers in somebody's TOML: nothing else of it changes.

import { expect, test } from "bun:test";
import { withWorkers } from "../../src/config/toml/edit.ts";

const TEXT = `# the shop
[defaults]
workers = 2

[pools.www]   # front
listen = "9000"
  workers   =  8   # as many as fit
command = ["php-cgi"]

[pools.app]
listen = "9001"
command = ["php-cgi"]
`;

test("a number that is there is replaced, its comment and blanks stay", () => {
  expect(withWorkers(TEXT, 5, 12)).toBe(TEXT.replace("=  8 ", "=  12 "));
});

test("one that is not there comes first in the table", () => {
  expect(withWorkers(TEXT, 10, 3)).toBe(
    TEXT.replace("[pools.app]\n", "[pools.app]\nworkers = 3\n"),
  );
});

test("line ends stay as they are", () => {
  const crlf = TEXT.replaceAll("\n", "\r\n");
  expect(withWorkers(crlf, 5, 12)).toBe(crlf.replace("=  8 ", "=  12 "));
  expect(withWorkers(crlf, 10, 3)).toBe(
    crlf.replace("[pools.app]\r\n", "[pools.app]\r\nworkers = 3\r\n"),
  );
});

test.each([
  ['workers = "auto*4" # all', "workers = 5 # all"],
  ['workers = "auto"', "workers = 5"],
  ["workers=4", "workers=5"],
])("%s", (line, changed) => {
  expect(withWorkers(`[pools.a]\n${line}\n`, 1, 5)).toBe(`[pools.a]\n${changed}\n`);
});

test.each([
  ["a line without a table", 2],
  ["another table", 2],
  ["a line that is not there", 99],
])("%s is left alone", (_, line) => {
  expect(withWorkers(TEXT, line, 5)).toBeNull();
});

test("a setting of another name is none", () => {
  expect(withWorkers("[pools.a]\nstart_workers = 2\n", 1, 5)).toBe(
    "[pools.a]\nworkers = 5\nstart_workers = 2\n",
  );
});
