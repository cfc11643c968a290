// A manifest for Kubernetes: a Deployment with nginx beside the supervisor in each pod, a Service, and what
// watches and scales it. What only the cluster's owner knows is marked FILL-IN.

import { dirname } from "node:path";
import { readFileSync } from "node:fs";
import { type Address } from "../../sys/socket/address.ts";
import type { PoolFacts, ServiceFacts } from "./facts.ts";
import { readyPort } from "./hosts.ts";

type Value =
  string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };

/** As long as the cluster takes to send no more requests to a pod that leaves. */
const LAME_DUCK_SECONDS = 5;
const HTTP_PORT = 8080;
/** www-data of Debian's images. */
const USER = 33;
/** Of workers that are busy, in percent, on which it grows. */
const BUSY_PERCENT = 70;

export function kubernetesManifest(facts: ServiceFacts): string {
  const pool = facts.pools[0]!;
  const documents = [
    configMap(facts, pool),
    deployment(facts, pool),
    service(facts, pool),
    ...(readyPort(facts) === null ? [] : [serviceMonitor(facts, pool)]),
    autoscaler(pool),
  ];
  return `# Made by \`fcgivisor service kubernetes\` for ${facts.config}, pool ${pool.name} (--pool names another)
# Fill in what says FILL-IN: the images, the public folder of the application, the memory that \`fcgivisor advise\` tells.
${readyPort(facts) === null ? NO_METRICS : ""}# The autoscaler needs a metrics adapter that serves fcgivisor_pool_workers (prometheus-adapter).
${documents.map((document) => `---\n${yaml(document)}`).join("")}`;
}

const NO_METRICS = `# With [metrics] listen = "0.0.0.0:9253" and token_file in the config the probes ask /healthz and /readyz over
# HTTP, and a ServiceMonitor is printed as well.
`;

/** Names of Kubernetes are lower-case letters, digits and dashes (RFC 1123). */
function nameOf({ name }: PoolFacts): string {
  const plain = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  return `fcgivisor-${plain === "" ? "pool" : plain}`.slice(0, 50);
}

function labels(pool: PoolFacts) {
  return { "app.kubernetes.io/name": nameOf(pool) };
}

function configMap(facts: ServiceFacts, pool: PoolFacts): Value {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: nameOf(pool), labels: labels(pool) },
    data: {
      "fcgivisor.toml": readFileSync(facts.config, "utf8"),
      "nginx.conf": nginxConf(pool),
    },
  };
}

function nginxConf(pool: PoolFacts): string {
  return `pid /tmp/nginx.pid;
events {}
http {
    include /etc/nginx/mime.types;
    client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
    server {
        listen ${HTTP_PORT};
        root /FILL-IN/public;
        location ~ /\\.(?!well-known/) { return 404; }
        location ${pool.isPhp ? "~ [^/]\\.php(/|$)" : "/"} {
            include fastcgi_params;
            fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
            fastcgi_pass ${besideText(pool.address)};
        }
    }
}
`;
}

/** As seen from another container of the pod. */
function besideText(address: Address): string {
  return address.kind === "unix" ? `unix:${address.path}` : `127.0.0.1:${address.port}`;
}

function deployment(facts: ServiceFacts, pool: PoolFacts): Value {
  const { drainSeconds } = facts;
  const shared = sharedFolders(facts, pool);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: nameOf(pool), labels: labels(pool) },
    spec: {
      replicas: 2,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      selector: { matchLabels: labels(pool) },
      template: {
        metadata: { labels: labels(pool) },
        spec: {
          // The time to be left alone, then to finish, and a margin.
          terminationGracePeriodSeconds: LAME_DUCK_SECONDS + drainSeconds + 15,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: USER,
            runAsGroup: USER,
            fsGroup: USER,
            seccompProfile: { type: "RuntimeDefault" },
          },
          containers: [supervisor(facts, pool, shared), nginx(shared)],
          volumes: [
            { name: "config", configMap: { name: nameOf(pool) } },
            ...shared.map(({ name }) => ({ name, emptyDir: {} })),
          ],
        },
      },
    },
  };
}

/** Folders that are written to: the rest of each container is read-only. */
function sharedFolders({ stateDir }: ServiceFacts, { address }: PoolFacts) {
  const socket = address.kind === "unix" ? [dirname(address.path)] : [];
  const folders = [...new Set(["/tmp", ...socket, stateDir])];
  return folders.map((mountPath, i) => ({ name: `writable-${i}`, mountPath }));
}

const UNPRIVILEGED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

type Mounts = readonly { readonly name: string; readonly mountPath: string }[];

function supervisor(facts: ServiceFacts, pool: PoolFacts, shared: Mounts): Value {
  const ready = readyPort(facts);
  const ask = (path: string): Value =>
    ready === null
      ? { exec: { command: ["fcgivisor", "status", "--quiet", ...facts.words] } }
      : { httpGet: { path, port: ready } };
  const { memoryMax } = pool.config;
  return {
    name: "fcgivisor",
    image: "FILL-IN/application:tag",
    command: ["fcgivisor", "run", ...facts.words],
    ...(ready === null ? {} : { ports: [{ name: "metrics", containerPort: ready }] }),
    livenessProbe: { ...(ask("/healthz") as object), periodSeconds: 10, timeoutSeconds: 5 },
    readinessProbe: { ...(ask("/readyz") as object), periodSeconds: 2, timeoutSeconds: 5 },
    lifecycle: {
      preStop: {
        exec: {
          command: ["fcgivisor", "quit", "--lame-duck", `${LAME_DUCK_SECONDS}s`, ...facts.words],
        },
      },
    },
    resources: {
      requests: { cpu: "250m", memory: memoryText(pool) },
      ...(typeof memoryMax === "number" ? { limits: { memory: String(memoryMax) } } : {}),
    },
    securityContext: UNPRIVILEGED,
    volumeMounts: [
      { name: "config", mountPath: facts.config, subPath: "fcgivisor.toml" },
      ...shared,
    ],
  };
}

/** Until \`advise\` has seen the application: the supervisor, and 32 MiB a worker. */
function memoryText({ config }: PoolFacts): string {
  return `${64 + 32 * config.workers}Mi`;
}

function nginx(shared: Mounts): Value {
  return {
    name: "nginx",
    image: "FILL-IN/nginx-with-the-public-files:tag",
    command: ["nginx", "-c", "/etc/fcgivisor-nginx/nginx.conf", "-g", "daemon off;"],
    ports: [{ name: "http", containerPort: HTTP_PORT }],
    // It is asked for nothing new by then; QUIT, which follows, lets it finish.
    lifecycle: { preStop: { exec: { command: ["sleep", String(LAME_DUCK_SECONDS)] } } },
    resources: { requests: { cpu: "50m", memory: "32Mi" } },
    securityContext: UNPRIVILEGED,
    volumeMounts: [
      { name: "config", mountPath: "/etc/fcgivisor-nginx/nginx.conf", subPath: "nginx.conf" },
      ...shared,
    ],
  };
}

function service(facts: ServiceFacts, pool: PoolFacts): Value {
  const ready = readyPort(facts);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: nameOf(pool), labels: labels(pool) },
    spec: {
      selector: labels(pool),
      ports: [
        { name: "http", port: 80, targetPort: "http" },
        ...(ready === null ? [] : [{ name: "metrics", port: ready, targetPort: "metrics" }]),
      ],
    },
  };
}

function serviceMonitor({ metricsToken }: ServiceFacts, pool: PoolFacts): Value {
  const secret = { name: "FILL-IN-secret-with-the-token", key: "token" };
  return {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "ServiceMonitor",
    metadata: { name: nameOf(pool), labels: labels(pool) },
    spec: {
      selector: { matchLabels: labels(pool) },
      endpoints: [
        {
          port: "metrics",
          path: "/metrics",
          ...(metricsToken === null ? {} : { authorization: { credentials: secret } }),
        },
      ],
    },
  };
}

function autoscaler(pool: PoolFacts): Value {
  const busy = Math.max(1, Math.round((pool.config.workers * BUSY_PERCENT) / 100));
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: nameOf(pool), labels: labels(pool) },
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: nameOf(pool) },
      minReplicas: 2,
      maxReplicas: 10,
      metrics: [
        {
          type: "Pods",
          pods: {
            metric: {
              name: "fcgivisor_pool_workers",
              selector: { matchLabels: { state: "busy", pool: pool.name } },
            },
            target: { type: "AverageValue", averageValue: String(busy) },
          },
        },
      ],
    },
  };
}

/** Block style, as people write it. */
function yaml(document: Value): string {
  return `${Bun.YAML.stringify(document, null, 2)}\n`;
}
