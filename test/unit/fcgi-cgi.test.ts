// The CGI side of FastCGI: the variables a program gets and the header block that it answers with.

import { describe, expect, test } from "bun:test";
import { HEADER_BLOCK_MAX, parseCgiResponse } from "../../src/fcgi/cgi-response.ts";
import { paramsFor } from "../../src/fcgi/params.ts";

function parse(text: string) {
  const { body, ...rest } = parseCgiResponse(Buffer.from(text, "latin1"));
  return { ...rest, body: Buffer.from(body).toString("latin1") };
}

describe("the answer", () => {
  test("is 200 without a status, whichever line ends it uses", () => {
    const wanted = { status: 200, headers: [["Content-Type", "text/plain"] as const], body: "hi" };
    expect(parse("Content-Type: text/plain\r\n\r\nhi")).toEqual(wanted);
    expect(parse("Content-Type:text/plain \n\nhi")).toEqual(wanted);
    expect(parse("Content-Type: text/plain\r\n\nhi")).toEqual(wanted);
  });

  test("takes its status from Status, which is no header of the answer", () => {
    expect(parse("status: 404 Not Found\nA: b\n\n")).toEqual({
      status: 404,
      headers: [["A", "b"]],
      body: "",
    });
    expect(parse("Status: 201\n\n").status).toBe(201);
  });

  test("is 302 with a Location, unless the status says otherwise", () => {
    expect(parse("Location: /x\n\n").status).toBe(302);
    expect(parse("Location: /x\nStatus: 301 Moved\n\n").status).toBe(301);
  });

  test("keeps repeated headers in order, and a body with blank lines and any bytes", () => {
    const answer = parse("Set-Cookie: a\nSet-Cookie: b\n\n\x00\xff\r\n\r\nrest");
    expect(answer.headers).toEqual([
      ["Set-Cookie", "a"],
      ["Set-Cookie", "b"],
    ]);
    expect(answer.body).toBe("\x00\xff\r\n\r\nrest");
  });

  test("without headers, or with something else there, is a fault", () => {
    expect(() => parse("")).toThrow("nothing at all");
    expect(() => parse("\r\nbody")).toThrow("no CGI headers");
    expect(() => parse("A: b\n")).toThrow("no CGI headers");
    expect(() => parse("Hello world\n\n")).toThrow('"Hello world" where a header');
    expect(() => parse("Status: fine\n\n")).toThrow('the status "fine"');
    expect(() => parse(`A: ${"x".repeat(HEADER_BLOCK_MAX)}\nB: c\n\n`)).toThrow("no CGI headers");
  });
});

describe("the variables", () => {
  const base = { method: "GET", url: "/a/b.php?x=1&y=%20", documentRoot: "/srv/www/" };

  test("are those of nginx's fastcgi_params", () => {
    const params = Object.fromEntries(paramsFor({ ...base, contentLength: 5 }));
    expect(params).toMatchObject({
      SCRIPT_FILENAME: "/srv/www/a/b.php",
      SCRIPT_NAME: "/a/b.php",
      DOCUMENT_URI: "/a/b.php",
      DOCUMENT_ROOT: "/srv/www/",
      REQUEST_URI: "/a/b.php?x=1&y=%20",
      QUERY_STRING: "x=1&y=%20",
      CONTENT_LENGTH: "5",
      GATEWAY_INTERFACE: "CGI/1.1",
      REDIRECT_STATUS: "200",
    });
  });

  test("decode and clean the path, but keep the URI as written", () => {
    const params = paramsFor({ ...base, url: "http://h:80/a//./x/../b%20c.php#f" });
    expect(params.get("SCRIPT_NAME")).toBe("/a/b c.php");
    expect(params.get("REQUEST_URI")).toBe("/a//./x/../b%20c.php");
    expect(paramsFor({ ...base, url: "/../../etc/passwd" }).get("SCRIPT_FILENAME")).toBe(
      "/srv/www/etc/passwd",
    );
    expect(paramsFor({ ...base, url: "/100%" }).get("SCRIPT_NAME")).toBe("/100%");
  });

  test("add the index to a folder's script name only", () => {
    const params = paramsFor({ ...base, url: "/app/?q", index: "index.php" });
    expect(params.get("SCRIPT_FILENAME")).toBe("/srv/www/app/index.php");
    expect(params.get("DOCUMENT_URI")).toBe("/app/");
    expect(paramsFor({ ...base, url: "", index: "i" }).get("SCRIPT_NAME")).toBe("/i");
  });

  test("turn headers into HTTP_*, repeated ones into one", () => {
    const params = paramsFor({
      ...base,
      headers: [
        ["X-One-two", "a"],
        ["x-one-TWO", "b"],
        ["Cookie", "c=1"],
        ["Cookie", "d=2"],
        ["Host", "example.test:8080"],
        ["Content-Type", "text/x"],
      ],
    });
    expect(params.get("HTTP_X_ONE_TWO")).toBe("a, b");
    expect(params.get("HTTP_COOKIE")).toBe("c=1; d=2");
    expect(params.get("SERVER_NAME")).toBe("example.test");
    expect(params.get("CONTENT_TYPE")).toBe("text/x");
  });
});
