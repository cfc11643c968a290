// The rows of the settings table for the listener on which one can look: [metrics].

import type { ListenAddress } from "../../sys/socket/address.ts";
import type { MetricsConfig } from "../model.ts";
import type { Setting } from "./setting.ts";
import { address } from "./special-values.ts";
import * as v from "./values.ts";

const metrics = <V>(row: Setting<MetricsConfig, V>) => row;

export const METRICS = {
  listen: metrics<ListenAddress | null>({
    type: address as v.ValueType<ListenAddress | null>,
    default: null,
    doc: "Where /metrics, /healthz and /readyz are served, read-only: an address with port, or the path of a Unix socket; nowhere unless set.",
    example: '"127.0.0.1:9253"',
    aliases: ["address"],
    get: (from) => from.listen,
  }),
  page: metrics({
    type: v.boolean,
    default: false,
    doc: "Serves a page to look at there, too: pools, queues, the longest requests.",
    example: "true",
    get: (from) => from.page,
  }),
  token_file: metrics<string | null>({
    type: v.path,
    default: null,
    doc: "File that holds the bearer token that requests must bring; required where others than this machine can connect.",
    example: '"/etc/fcgivisor/metrics.token"',
    aliases: ["token"],
    get: (from) => from.tokenFile,
  }),
  group: metrics<string | null>({
    type: v.group,
    default: null,
    doc: "Group of a Unix socket there.",
    example: '"prometheus"',
    get: (from) => from.group,
  }),
  mode: metrics({
    type: v.mode,
    default: 0o660,
    doc: "Mode of a Unix socket there.",
    example: '"0666"',
    get: (from) => from.mode,
  }),
};
