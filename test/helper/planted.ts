// Folders that workers may write in, for tests of what they plant there.

import { chmodSync, mkdirSync } from "node:fs";
import type { Scene } from "./scene.ts";

/** A folder of the scene's that anybody may write in; returns its path. */
export function openFolder(scene: Scene, name: string): string {
  const folder = scene.path(name);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o777);
  return folder;
}
