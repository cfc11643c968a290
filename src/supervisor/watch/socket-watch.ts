// The shared sockets as they are in our own copy: what a script has changed on one is set right with the
// beat and before each operation, and told. Workers of a socket that had to be opened again are replaced.

import { asFault } from "../../fault.ts";
import type { Reader } from "../../observe/scoreboard.ts";
import type { Listener } from "../../socket/listener.ts";
import { allListeners } from "../sockets.ts";
import { poolsInOrder, type SupervisorState } from "../supervisor-state.ts";

const LOOK_EVERY_MS = 1000;
/** Each takes a handful of system calls: of hundreds so many a second, and no more. */
const SOCKETS_A_SECOND = 25;

export class SocketWatch implements Reader {
  private readonly state: SupervisorState;
  /** What was told of each in the look before: who changes it again and again is told once. */
  private readonly told = new WeakMap<Listener, string>();

  constructor(state: SupervisorState) {
    this.state = state;
  }

  get everyMs(): number {
    return Math.max(LOOK_EVERY_MS, (this.state.pools.size * 1000) / SOCKETS_A_SECOND);
  }

  look(): void {
    for (const listener of allListeners(this.state)) this.heal(listener);
  }

  private heal(listener: Listener): void {
    const { state } = this;
    try {
      const { was, isAnother } = listener.heal();
      this.tell(listener, was);
      if (!isAnother) return;
      for (const pool of poolsInOrder(state)) if (pool.listener === listener) pool.current.renew();
      state.save();
    } catch (error) {
      this.tell(listener, ["shut down, and could not be opened again"]);
      state.emit({ type: "trouble", fault: asFault(error).toJSON() });
    }
  }

  private tell(listener: Listener, was: readonly string[]): void {
    const { state, told } = this;
    const text = was.join();
    if (text !== "" && text !== told.get(listener)) {
      const pools = poolsInOrder(state).filter((pool) => pool.listener === listener);
      const names = pools.map(({ name }) => name);
      state.emit({ type: "listener-healed", address: listener.name, pools: names, was });
    }
    told.set(listener, text);
  }
}
