// A dashboard for Grafana (10 and later) over the metrics, made from a list of panels. Grafana asks for the
// data source when it is imported.

interface Panel {
  readonly title: string;
  readonly unit: string;
  /** PromQL and legend. */
  readonly queries: readonly (readonly [query: string, legend: string])[];
  readonly stacked?: true;
}

/** The variable that chooses pools. */
const P = 'pool=~"$pool"';
const RATE = "[$__rate_interval]";

const PANELS: readonly Panel[] = [
  {
    title: "Workers by state",
    unit: "short",
    stacked: true,
    queries: [[`sum by (state) (fcgivisor_pool_workers{${P}})`, "{{state}}"]],
  },
  {
    title: "Busy of wanted",
    unit: "percentunit",
    queries: [
      [
        `fcgivisor_pool_workers{${P},state="busy"} / ignoring(state) fcgivisor_pool_workers_wanted{${P}}`,
        "{{pool}}",
      ],
    ],
  },
  {
    title: "Queue",
    unit: "short",
    queries: [
      [`fcgivisor_pool_queue_length{${P}}`, "{{pool}}"],
      [`fcgivisor_pool_queue_limit{${P}}`, "{{pool}}, limit"],
    ],
  },
  {
    title: "All workers busy, queue full, connections dropped",
    unit: "ops",
    queries: [
      [`rate(fcgivisor_pool_all_busy_total{${P}}${RATE})`, "{{pool}}, all busy"],
      [`rate(fcgivisor_pool_queue_full_total{${P}}${RATE})`, "{{pool}}, queue full"],
      [`rate(fcgivisor_tcp_listen_overflows_total${RATE})`, "{{instance}}, dropped"],
    ],
  },
  {
    title: "Oldest request in flight",
    unit: "s",
    queries: [[`fcgivisor_pool_oldest_request_seconds{${P}}`, "{{pool}}"]],
  },
  {
    title: "CPU of the workers",
    unit: "percentunit",
    queries: [[`rate(fcgivisor_pool_cpu_seconds_total{${P}}${RATE})`, "{{pool}}"]],
  },
  {
    title: "Memory of the workers",
    unit: "bytes",
    queries: [[`fcgivisor_pool_memory_bytes{${P}}`, "{{pool}}"]],
  },
  {
    title: "Workers that ended, by why",
    unit: "ops",
    queries: [
      [`sum by (reason) (rate(fcgivisor_pool_workers_ended_total{${P}}${RATE}))`, "{{reason}}"],
    ],
  },
  {
    title: "Requests slow, requests ended",
    unit: "ops",
    queries: [
      [`rate(fcgivisor_pool_slow_requests_total{${P}}${RATE})`, "{{pool}}, slow_timeout"],
      [`rate(fcgivisor_pool_request_timeouts_total{${P}}${RATE})`, "{{pool}}, request_timeout"],
    ],
  },
  {
    title: "Workers recycled, by setting",
    unit: "ops",
    queries: [[`sum by (reason) (rate(fcgivisor_pool_recycles_total{${P}}${RATE}))`, "{{reason}}"]],
  },
  {
    title: "Reloads",
    unit: "s",
    queries: [
      [
        `histogram_quantile(0.9, sum by (le, result) (increase(fcgivisor_operation_duration_seconds_bucket{operation="reload"}[1h])))`,
        "90 of 100 took at most, {{result}}",
      ],
    ],
  },
  {
    title: "Generation",
    unit: "short",
    queries: [["fcgivisor_generation", "{{instance}}"]],
  },
];

const [COLUMNS, WIDTH, HEIGHT] = [2, 12, 8];
const SOURCE = { type: "prometheus", uid: "${DS_PROMETHEUS}" };

/** As JSON. */
export function grafanaDashboard(): string {
  const dashboard = {
    __inputs: [
      {
        name: "DS_PROMETHEUS",
        label: "Prometheus",
        type: "datasource",
        pluginId: "prometheus",
        pluginName: "Prometheus",
      },
    ],
    __requires: [{ type: "datasource", id: "prometheus", name: "Prometheus", version: "1.0.0" }],
    uid: "fcgivisor",
    title: "fcgivisor",
    schemaVersion: 39,
    editable: true,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: { list: [poolVariable()] },
    panels: PANELS.map(panel),
  };
  return JSON.stringify(dashboard, null, 2);
}

/** Every query of it, the variables filled in for all pools and a minute: to be tried. */
export function dashboardQueries(): string[] {
  return PANELS.flatMap(({ queries }) => queries)
    .map(([query]) => query)
    .map((query) => query.replaceAll("$pool", ".*").replaceAll("$__rate_interval", "1m"));
}

function poolVariable() {
  return {
    name: "pool",
    label: "Pool",
    type: "query",
    datasource: SOURCE,
    query: "label_values(fcgivisor_pool_up, pool)",
    refresh: 2,
    multi: true,
    includeAll: true,
    allValue: ".*",
    current: { text: "All", value: "$__all" },
  };
}

function panel({ title, unit, queries, stacked }: Panel, index: number) {
  const [x, y] = [(index % COLUMNS) * WIDTH, Math.floor(index / COLUMNS) * HEIGHT];
  const fill = stacked ? { fillOpacity: 30, stacking: { mode: "normal" } } : { fillOpacity: 0 };
  return {
    id: index + 1,
    type: "timeseries",
    title,
    datasource: SOURCE,
    gridPos: { x, y, w: WIDTH, h: HEIGHT },
    fieldConfig: { defaults: { unit, min: 0, custom: fill }, overrides: [] },
    options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
    targets: queries.map(([expr, legendFormat], i) => ({
      refId: String.fromCharCode(65 + i),
      datasource: SOURCE,
      expr,
      legendFormat,
    })),
  };
}
