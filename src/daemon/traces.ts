// What a running supervisor leaves so that a control command finds its socket on a day on which the config
// cannot be read. Without it the service is as good.

import { dirname } from "node:path";
import { stateDirDefault } from "../admin/default-place.ts";
import { leavePointer } from "../admin/pointers.ts";
import type { Config } from "../config/model.ts";
import type { Emit } from "../event.ts";
import { Fault } from "../fault.ts";

/** Leaves the pointer; the returned function takes it away. What goes wrong is told, and changes nothing. */
export function leaveTraces(config: Config, emit: Emit): () => void {
  const folder = stateDirDefault();
  const { admin, source, supervisor } = config;
  // Beside what leads to the socket, what leads from it to the state: the socket may be all that is known.
  const pairs = [
    ...(source.file === null ? [] : [[source.file, admin.socket] as const]),
    ...(dirname(admin.socket) === supervisor.stateDir
      ? []
      : [[admin.socket, supervisor.stateDir] as const]),
  ];
  const forgets: (() => void)[] = [];
  try {
    for (const [from, to] of pairs) forgets.push(leavePointer(folder, from, to));
    return () => forgets.forEach((forget) => forget());
  } catch (error) {
    const fault = new Fault("cannot note where the control socket is", {
      where: folder,
      hint: `while the config cannot be read, name it yourself: --socket ${config.admin.socket}${misled()}`,
      cause: error,
    });
    emit({ type: "trouble", fault: fault.toJSON() });
    return () => forgets.forEach((forget) => forget());
  }
}

/** `su` and `sudo -E` take the variable along, and then it names somebody else's folder. */
function misled(): string {
  return process.env["XDG_RUNTIME_DIR"]
    ? ", or set $XDG_RUNTIME_DIR to a folder of this user's"
    : "";
}
