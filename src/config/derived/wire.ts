// A Config as JSON and back, for asking a running supervisor what it runs with. JSON has no Map, and
// everything else a config is made of passes through as it is.

import { camelNames, snakeNames } from "../../log/snake.ts";
import { freeze, type Config } from "../model.ts";

const MARK = "$map";

/** The config as a value that JSON can carry. */
export function configToJson(config: Config): unknown {
  return snakeNames(
    JSON.parse(
      JSON.stringify(config, (_, value: unknown) =>
        value instanceof Map ? { [MARK]: [...value] } : value,
      ),
    ),
  );
}

/** What `configToJson` made, as a config again. */
export function configFromJson(json: unknown): Config {
  const text = JSON.stringify(camelNames(json));
  return freeze(
    JSON.parse(text, (_, value: unknown) =>
      isMap(value) ? new Map(value[MARK]) : value,
    ) as Config,
  );
}

function isMap(value: unknown): value is { readonly [MARK]: [string, string][] } {
  return typeof value === "object" && value !== null && Array.isArray((value as never)[MARK]);
}
