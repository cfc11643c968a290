// What a running supervisor leaves so that a control command finds its socket on a day on which the config
// cannot be read. Without it the service is as good.

import { stateDirDefault } from "../admin/default-place.ts";
import { leavePointer } from "../admin/pointer.ts";
import type { Config } from "../config/model.ts";
import type { Emit } from "../event.ts";
import { Fault } from "../fault.ts";

/** Leaves the pointer; the returned function takes it away. What goes wrong is told, and changes nothing. */
export function leaveTraces(config: Config, emit: Emit): () => void {
  if (config.source.file === null) return () => {};
  const folder = stateDirDefault();
  try {
    return leavePointer(folder, config.source.file, config.admin.socket);
  } catch (error) {
    const fault = new Fault("cannot note where the control socket is", {
      where: folder,
      hint: `while the config cannot be read, name it yourself: --socket ${config.admin.socket}${misled()}`,
      cause: error,
    });
    emit({ type: "trouble", fault: fault.toJSON() });
    return () => {};
  }
}

/** `su` and `sudo -E` take the variable along, and then it names somebody else's folder. */
function misled(): string {
  return process.env["XDG_RUNTIME_DIR"]
    ? ", or set $XDG_RUNTIME_DIR to a folder of this user's"
    : "";
}
