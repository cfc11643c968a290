// A pool that is asked, and a request with what came of it.

import type { PoolConfig, SmokeRequest } from "../../config/model.ts";
import type { SmokeResult } from "../../supervisor/start/smoke.ts";
import type { Address } from "../../sys/socket/address.ts";

export interface AskedPool {
  readonly config: PoolConfig;
  readonly address: Address;
}

export interface Smoked {
  readonly pool: string;
  readonly request: SmokeRequest;
  readonly result: SmokeResult;
}
