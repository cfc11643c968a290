// How many workers of a pool are to be active. Pure: what is seen goes in, how many to wake or to park
// comes out. It grows at once, by what waits and by the spares that are missing; it shrinks when more were
// to spare all the time for idle_timeout, which a short pause between two bursts is not.

import type { PoolConfig } from "../config/model.ts";

export interface ScalingLimits {
  /** So many are active at least, whatever is seen. */
  readonly least: number;
  readonly most: number;
  /** Active and idle, at least and at most. */
  readonly minSpare: number;
  readonly maxSpare: number;
  readonly idleTimeoutMs: number;
  /** After so long without a request the last one leaves, too; null = never. */
  readonly restTimeoutMs: number | null;
}

export interface ScalingSnapshot {
  /** Milliseconds on any clock. */
  readonly time: number;
  /** Connections that wait. */
  readonly queue: number;
  /** Active workers, and how many of them are idle. */
  readonly active: number;
  readonly idle: number;
  readonly parked: number;
}

/** More than max_spare are idle: since when, and how many more all the time since then. */
export interface Surplus {
  readonly since: number;
  readonly least: number;
}

export interface ScalingStep {
  readonly wake: number;
  readonly park: number;
  /** To be handed in at the next look. */
  readonly surplus: Surplus | null;
}

export function scalingStep(
  seen: ScalingSnapshot,
  limits: ScalingLimits,
  before: Surplus | null,
): ScalingStep {
  const { active, idle, parked } = seen;
  const needed = seen.active - idle + seen.queue;
  const wake = Math.min(parked, bounded(needed + limits.minSpare, limits) - active);
  if (wake > 0) return { wake, park: 0, surplus: null };
  const over = Math.min(idle, active - limits.most);
  if (over > 0) return { wake: 0, park: over, surplus: null };
  const more = Math.min(idle, active - bounded(needed + limits.maxSpare, limits));
  const surplus = surplusOf(seen, more, before);
  const isOver = surplus !== null && seen.time - surplus.since >= limits.idleTimeoutMs;
  if (!isOver) return { wake: 0, park: 0, surplus };
  return { wake: 0, park: Math.min(idle, surplus.least), surplus: null };
}

/** Connections that wait, at a moment in milliseconds. */
export interface QueueSighting {
  readonly time: number;
  readonly queue: number;
}

/** Waking others for them would take as long, and more workers than processors are in each other's way. */
const SERVED_SOON_MS = 10;

/** Whether the active ones are about to serve all that wait, at the pace of the last two looks. */
export function isServedSoon(before: QueueSighting, now: QueueSighting): boolean {
  const served = before.queue - now.queue;
  return served > 0 && (now.queue * (now.time - before.time)) / served < SERVED_SOON_MS;
}

/** How many of those that have just come up, all active, are to be parked at once. */
export function parkedAtStart(seen: ScalingSnapshot, limits: ScalingLimits, start: number): number {
  const needed = seen.active - seen.idle + seen.queue + limits.minSpare;
  return Math.min(seen.idle, Math.max(0, seen.active - bounded(Math.max(start, needed), limits)));
}

function surplusOf({ time }: ScalingSnapshot, more: number, before: Surplus | null) {
  if (more <= 0) return null;
  return { since: before?.since ?? time, least: Math.min(more, before?.least ?? more) };
}

function bounded(workers: number, { least, most }: ScalingLimits): number {
  return Math.min(most, Math.max(least, workers));
}

/** Nobody takes a request. */
export function pausedLimits(most: number): ScalingLimits {
  return { least: 0, most: 0, minSpare: 0, maxSpare: most, idleTimeoutMs: 0, restTimeoutMs: null };
}

/** What a pool's config says; null = all its workers are active at all times. */
export function limitsOf(pool: PoolConfig): ScalingLimits | null {
  const { scaling, workers: most, idleTimeoutMs } = pool;
  const restTimeoutMs = pool.restTimeoutMs === "off" ? null : pool.restTimeoutMs;
  switch (scaling) {
    case "static":
      return null;
    case "dynamic": {
      const minSpare = pool.minSpare ?? 1;
      const maxSpare = pool.maxSpare ?? Math.max(minSpare, Math.min(most, DEFAULT_MAX_SPARE));
      return { least: 1, most, minSpare, maxSpare, idleTimeoutMs, restTimeoutMs: null };
    }
    case "ondemand":
      return { least: 1, most, minSpare: 0, maxSpare: 0, idleTimeoutMs, restTimeoutMs };
  }
}

/** Unless max_spare is set. */
export const DEFAULT_MAX_SPARE = 4;

/** How many are active at the start: halfway between the spares unless set, as in php-fpm. */
export function startOf({ scaling, startWorkers }: PoolConfig, limits: ScalingLimits): number {
  if (scaling !== "dynamic") return limits.least;
  const { minSpare, maxSpare } = limits;
  return startWorkers ?? minSpare + Math.floor((maxSpare - minSpare) / 2);
}
