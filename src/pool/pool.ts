// A Pool is one configured service as it stands: its listener, the generation that is responsible,
// and the generations that are leaving.

import type { PoolConfig } from "../config/model.ts";
import type { Listener } from "../socket/listener.ts";
import type { Generation } from "./generation.ts";
import { sumOf, type Losses } from "../worker/losses.ts";

export class Pool {
  private responsible: Generation;
  private readonly leavers = new Set<Generation>();

  constructor(generation: Generation) {
    this.responsible = generation;
  }

  get config(): PoolConfig {
    return this.responsible.context.pool;
  }
  get name(): string {
    return this.config.name;
  }
  get listener(): Listener {
    return this.responsible.context.listener;
  }
  get current(): Generation {
    return this.responsible;
  }
  get leaving(): readonly Generation[] {
    return [...this.leavers];
  }
  /** Workers there should be. */
  get target(): number {
    return this.responsible.target;
  }

  /** Makes the new generation responsible; returns the old one, which is to be retired. */
  swap(next: Generation): Generation {
    const old = this.responsible;
    this.responsible = next;
    this.leavers.delete(next);
    this.leavers.add(old);
    old.yieldTo(next);
    return old;
  }

  /** Drains a generation that is no longer responsible; it stays visible until it is gone. */
  async retire(generation: Generation): Promise<void> {
    this.leavers.add(generation);
    await generation.drain();
    this.leavers.delete(generation);
  }

  /** Drains everything. */
  async drain(): Promise<Losses> {
    const generations = [this.responsible, ...this.leavers];
    await Promise.all(generations.map((generation) => generation.drain()));
    return sumOf(generations.map(({ losses }) => losses));
  }

  /** Stops everything at once. */
  async stop(): Promise<Losses> {
    const generations = [this.responsible, ...this.leavers];
    await Promise.all(generations.map((generation) => generation.stop()));
    return sumOf(generations.map(({ losses }) => losses));
  }
}
