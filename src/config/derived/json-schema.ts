// The JSON Schema of the TOML config, made from the settings table, so that editors complete and check
// it. Draft 7, which taplo and the editors' TOML extensions read.

import { REQUIRED, type Rows, type Setting } from "../settings/setting.ts";
import { ADMIN, LOG, METRICS, POOL, SUPERVISOR } from "../settings/settings.ts";
import type { JsonSchema } from "../settings/values.ts";

export function configSchema(): JsonSchema {
  const pool = tableOf(nested(POOL));
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "fcgivisor",
    description: "The config of fcgivisor, a FastCGI supervisor.",
    ...tableOf({
      supervisor: tableOf(nested(SUPERVISOR), "How the supervisor itself runs."),
      admin: tableOf(nested(ADMIN), "The control socket."),
      log: tableOf(nested(LOG), "The log."),
      metrics: tableOf(nested(METRICS), "The listener on which one can look."),
      defaults: tableOf(nested(POOL), "What every pool inherits, each setting unless it gives it."),
      pools: {
        type: "object",
        description: "The pools by name, each a service with its listener and its workers.",
        propertyNames: { pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" },
        additionalProperties: { ...pool, required: ["listen"] },
      },
    }),
  };
}

type Properties = Readonly<Record<string, JsonSchema>>;

function tableOf(properties: Properties, description?: string): JsonSchema {
  const told = description === undefined ? {} : { description };
  return { type: "object", ...told, additionalProperties: false, properties };
}

/** "listen.backlog" becomes the property backlog of a table listen. */
function nested(rows: Rows): Properties {
  const flat = Object.entries(rows).filter(([name]) => !name.includes("."));
  const tables = new Set(
    Object.keys(rows).flatMap((name) => (name.includes(".") ? [name.split(".")[0]!] : [])),
  );
  return {
    ...Object.fromEntries(flat.map(([name, row]) => [name, settingSchema(row)])),
    ...Object.fromEntries([...tables].map((table) => [table, innerTable(rows, table)])),
  };
}

function innerTable(rows: Rows, table: string): JsonSchema {
  const own = Object.entries(rows).filter(([name]) => name.startsWith(`${table}.`));
  const inner = own.map(
    ([name, row]) => [name.slice(table.length + 1), settingSchema(row)] as const,
  );
  const whole = tableOf(Object.fromEntries(inner));
  const address = rows[`${table}.address`];
  if (address === undefined) return whole;
  return { description: address.doc, anyOf: [settingSchema(address), whole] };
}

function settingSchema(row: Setting<never, unknown>): JsonSchema {
  const example = asJson(row.example);
  const value =
    row.default === REQUIRED || row.default === null
      ? undefined
      : asJson(row.type.print(row.default));
  return {
    ...row.type.schema,
    description: row.doc,
    ...(value === undefined ? {} : { default: value }),
    ...(example === undefined ? {} : { examples: [example] }),
  };
}

/** TOML's strings, numbers, booleans and arrays of them are JSON; its tables are not. */
function asJson(toml: string): unknown {
  try {
    return JSON.parse(toml);
  } catch {
    return undefined;
  }
}
