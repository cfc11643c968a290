// Metric families as text, in the two forms that Prometheus reads: its own (0.0.4) and OpenMetrics 1.0. They
// differ in the names of counters and in the end.

export type Labels = Readonly<Record<string, string>>;
export type Sample = readonly [labels: Labels, value: number];

interface FamilyRow {
  /** Without the `_total` of a counter. */
  readonly name: string;
  /** One sentence. */
  readonly help: string;
}

export type Family =
  | (FamilyRow & {
      readonly type: "gauge" | "counter" | "info";
      readonly samples: readonly Sample[];
    })
  | (FamilyRow & { readonly type: "histogram"; readonly series: readonly Histogram[] });

export interface Histogram {
  readonly labels: Labels;
  /** How many were no more than each bound, the bounds ascending. */
  readonly upTo: readonly (readonly [bound: number, count: number])[];
  readonly count: number;
  readonly sum: number;
}

export type Form = "prometheus" | "openmetrics";

export const CONTENT_TYPES: Readonly<Record<Form, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** What the asker prefers, by the header Accept. */
export function formFor(accept: string): Form {
  return accept.includes("application/openmetrics-text") ? "openmetrics" : "prometheus";
}

/** Families without a sample are left out: no number is better than a guess. */
export function metricsText(families: readonly Family[], form: Form): string {
  const text = families
    .map((family) => familyText(family, form))
    .filter((lines) => lines.length > 2)
    .map((lines) => lines.join(""))
    .join("");
  return form === "openmetrics" ? `${text}# EOF\n` : text;
}

function familyText(family: Family, form: Form): string[] {
  const { help } = family;
  const isOpen = form === "openmetrics";
  const sampleName = `${family.name}${SUFFIX[family.type]}`;
  const name = isOpen ? family.name : sampleName;
  const type = family.type === "info" && !isOpen ? "gauge" : family.type;
  const lines = family.type === "histogram" ? histogramLines(family) : sampleLines(family);
  return [`# HELP ${name} ${escapeHelp(help)}\n`, `# TYPE ${name} ${type}\n`, ...lines];
}

const SUFFIX: Readonly<Record<Family["type"], string>> = {
  gauge: "",
  counter: "_total",
  info: "_info",
  histogram: "",
};

function sampleLines(family: Exclude<Family, { type: "histogram" }>): string[] {
  const name = `${family.name}${SUFFIX[family.type]}`;
  return family.samples.map(([labels, value]) => line(name, labels, value));
}

function histogramLines({ name, series }: Extract<Family, { type: "histogram" }>): string[] {
  return series.flatMap(({ labels, upTo, count, sum }) => [
    ...upTo.map(([bound, upToIt]) =>
      line(`${name}_bucket`, { ...labels, le: number(bound) }, upToIt),
    ),
    line(`${name}_bucket`, { ...labels, le: "+Inf" }, count),
    line(`${name}_sum`, labels, sum),
    line(`${name}_count`, labels, count),
  ]);
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
}

/** OpenMetrics wants bounds as floats. */
function number(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function escape(text: string): string {
  return text.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
