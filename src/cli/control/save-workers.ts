// `scale --save`: the number of workers, in the file that the pool stands in. The file is replaced as a whole or
// not at all, keeps its owner and mode, and is read again as the supervisor would read it: where that
// does not lead to this number, the file is put back as it was.

import {
  closeSync,
  fchownSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { withWorkers } from "../../config/toml/edit.ts";
import { Fault } from "../../fault.ts";
import { type ConfigArgs, loadGivenConfig } from "../config/load-config.ts";

/** Returns the file. Throws the Fault that says why it is as it was. */
export async function saveWorkers(
  args: ConfigArgs,
  name: string,
  workers: number,
): Promise<string> {
  const uid = process.getuid!();
  const { config } = await loadGivenConfig(args, uid);
  const place = config.pools.find((pool) => pool.name === name)?.place ?? null;
  if (config.source.format !== "toml" || place === null)
    throw notSaved(name, workers, config.source.file ?? "", "only a TOML config can be changed");
  const before = readFileSync(place.file, "utf8");
  const after = withWorkers(before, place.line, workers);
  if (after === null)
    throw notSaved(name, workers, place.file, `there is no [pools.${name}] of its own in the file`);
  replace(place.file, after);
  try {
    const read = await loadGivenConfig(args, uid);
    const found = read.config.pools.find((pool) => pool.name === name)?.workers;
    if (found !== workers) throw new Fault(`the file would say ${found} workers then`);
  } catch (error) {
    replace(place.file, before);
    throw notSaved(name, workers, place.file, "the config would not be read with it", error);
  }
  return place.file;
}

function notSaved(
  name: string,
  workers: number,
  where: string,
  why: string,
  cause?: unknown,
): Fault {
  return new Fault(`the pool has been scaled, but that is not saved: ${why}`, {
    where,
    hint: `write workers = ${workers} for pool ${name} yourself`,
    ...(cause === undefined ? {} : { cause }),
  });
}

function replace(path: string, text: string): void {
  const file = realpathSync(path);
  const { uid, gid, mode } = statSync(file);
  const unfinished = `${file}.fcgivisor-${process.pid}`;
  const fd = openSync(unfinished, "wx", mode & 0o7777);
  try {
    writeFileSync(fd, text);
    fchownSync(fd, uid, gid);
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw new Fault("the config file cannot be written", { where: file, cause: error });
  } finally {
    closeSync(fd);
  }
}
