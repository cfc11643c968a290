// A call stack as text, for the slow log and for `trace`: what it holds comes from a worker, so
// whoever prints it escapes it.

import { type Frame, MAIN, type Stack } from "./stack.ts";

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

/** All of a stack, at most so many frames of it, and what there is to say of it. */
export function stackLines(stack: Stack, most: number): string[] {
  if (stack.got === "nothing") return [];
  if (stack.got === "unsure") return [`the stack cannot be told: ${stack.why}`];
  const { frames, isCut, isMoving } = stack;
  return [
    ...(isMoving ? ["(functions that come and go too fast to be read)"] : []),
    ...frames.slice(0, most).map(frameLine),
    ...(isCut || frames.length > most ? ["(more frames)"] : []),
  ];
}
