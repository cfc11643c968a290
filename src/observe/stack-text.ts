// A call stack as lines of text, for the slow log and for `trace`: what it holds comes from a worker, so
// whoever prints it escapes it.

import { type Frame, MAIN } from "./stack.ts";

/** `App\Repo::find`, `{main}`. */
export function functionText(frame: Frame): string {
  return frame.class === null ? frame.function : `${frame.class}::${frame.function}`;
}

/** The same as a call: `usleep()`; `{main}` is none. */
export function callText(frame: Frame): string {
  return frame.function === MAIN ? MAIN : `${functionText(frame)}()`;
}

/** `/srv/app/Repo.php:31`; "" where there is no file. */
export function placeText({ file, line }: Frame): string {
  if (file === null) return "";
  return line === null ? file : `${file}:${line}`;
}

/** Function and place, one frame a line. */
export function frameLine(frame: Frame): string {
  const place = placeText(frame);
  return place === "" ? callText(frame) : `${callText(frame)} ${place}`;
}

export interface StackParts {
  readonly frames: readonly Frame[];
  readonly cut: boolean;
  readonly moving: boolean;
  readonly unsure: string | null;
}

/** All of a stack, and what there is to say of it. */
export function stackLines({ frames, cut, moving, unsure }: StackParts): string[] {
  if (unsure !== null) return [`the stack cannot be told: ${unsure}`];
  return [
    ...(moving ? ["(functions that come and go too fast to be read)"] : []),
    ...frames.map(frameLine),
    ...(cut ? [`(more frames than ${frames.length})`] : []),
  ];
}
