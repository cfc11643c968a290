// The CGI variables of a request, as nginx's stock `fastcgi_params` sends them, so that a program
// sees in a smoke test or a health check what it sees behind the web server.

export interface RequestLine {
  readonly method: string;
  /** The URL's path and query: `/a/b.php?x=1`. A whole `http://host/…` URL is fine too. */
  readonly url: string;
  /** Absolute; null = documentRoot + the path. */
  readonly scriptFilename?: string | null;
  /** Appended to a script name that ends with a slash, as nginx's `fastcgi_index`. */
  readonly index?: string;
  readonly documentRoot: string;
  /** May name a header more than once. */
  readonly headers?: ReadonlyArray<readonly [string, string]>;
  /** Bytes of the body; null = unknown, nothing is sent for it. */
  readonly contentLength?: number | null;
  readonly remoteAddr?: string;
  readonly remotePort?: number;
  readonly serverAddr?: string;
  readonly serverPort?: number;
  readonly serverName?: string;
  readonly serverSoftware?: string;
}

/** The parameters in the order of nginx's file, then `HTTP_*`. */
export function paramsFor(request: RequestLine): Map<string, string> {
  const { path, query, uri } = splitUrl(request.url);
  const headers = joinHeaders(request.headers ?? []);
  const script = path.endsWith("/") ? path + (request.index ?? "") : path;
  const root = request.documentRoot.replace(/\/+$/, "");
  const params = new Map<string, string>([
    ["QUERY_STRING", query],
    ["REQUEST_METHOD", request.method],
    ["CONTENT_TYPE", headers.get("content-type") ?? ""],
    ["CONTENT_LENGTH", request.contentLength == null ? "" : String(request.contentLength)],
    ["SCRIPT_FILENAME", request.scriptFilename ?? root + script],
    ["SCRIPT_NAME", script],
    ["REQUEST_URI", uri],
    ["DOCUMENT_URI", path],
    ["DOCUMENT_ROOT", request.documentRoot],
    ["SERVER_PROTOCOL", "HTTP/1.1"],
    ["REQUEST_SCHEME", "http"],
    ["GATEWAY_INTERFACE", "CGI/1.1"],
    ["SERVER_SOFTWARE", request.serverSoftware ?? "fcgivisor"],
    ["REMOTE_ADDR", request.remoteAddr ?? "127.0.0.1"],
    ["REMOTE_PORT", String(request.remotePort ?? 0)],
    ["SERVER_ADDR", request.serverAddr ?? "127.0.0.1"],
    ["SERVER_PORT", String(request.serverPort ?? 80)],
    ["SERVER_NAME", request.serverName ?? hostName(headers) ?? "localhost"],
    ["REDIRECT_STATUS", "200"],
  ]);
  for (const [name, value] of headers) {
    params.set(`HTTP_${name.toUpperCase().replaceAll("-", "_")}`, value);
  }
  return params;
}

/** The path decoded and without `.`, `..` and `//`, as nginx's `$uri`; the URI as it was written. */
function splitUrl(url: string): { path: string; query: string; uri: string } {
  const uri = url.replace(/^https?:\/\/[^/?#]*/, "").replace(/#.*$/s, "");
  const mark = uri.indexOf("?");
  const query = mark < 0 ? "" : uri.slice(mark + 1);
  const path = normal(decoded(mark < 0 ? uri : uri.slice(0, mark)));
  return { path, query, uri: uri.startsWith("/") ? uri : `/${uri}` };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // A stray "%" stands for itself rather than stopping a smoke test.
    return path;
  }
}

function normal(path: string): string {
  const out: string[] = [];
  const parts = path.split("/").slice(path.startsWith("/") ? 1 : 0);
  for (const part of parts) {
    if (part === "..") out.pop();
    else if (part !== "." && part !== "") out.push(part);
  }
  const last = parts.at(-1);
  const folder = last === "" || last === "." || last === "..";
  return `/${out.join("/")}${folder && out.length > 0 ? "/" : ""}`;
}

/** Lower-case names; a repeated header becomes one, joined as nginx joins it. */
function joinHeaders(headers: ReadonlyArray<readonly [string, string]>): Map<string, string> {
  const all = new Map<string, string>();
  for (const [written, value] of headers) {
    const name = written.toLowerCase();
    const before = all.get(name);
    const glue = name === "cookie" ? "; " : ", ";
    all.set(name, before === undefined ? value : before + glue + value);
  }
  return all;
}

function hostName(headers: ReadonlyMap<string, string>): string | undefined {
  return headers.get("host")?.replace(/:[0-9]+$/, "");
}
