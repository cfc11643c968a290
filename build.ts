// Builds dist/fcgivisor and runs it once. `--target bun-linux-x64-musl` cross-builds (not run then);
// `--quiet` says nothing unless something fails. Whole releases are made by src/release/release.ts.
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import pkg from "./package.json" with { type: "json" };

const { values } = parseArgs({
  options: {
    target: { type: "string" },
    outfile: { type: "string" },
    quiet: { type: "boolean" },
    "release-version": { type: "string" },
  },
});
const version = values["release-version"] ?? pkg.version;
const outfile = values.outfile ?? "dist/fcgivisor";

// Chunks are named by their content: the maps of an earlier build would stay for ever.
for (const map of new Bun.Glob(`${dirname(outfile)}/*.map`).scanSync())
  await Bun.file(map).delete();

const result = await Bun.build({
  entrypoints: ["src/main.ts"],
  // A daemon started by root must not read code or settings from where it stands.
  compile: {
    outfile,
    autoloadDotenv: false,
    autoloadBunfig: false,
    ...(values.target ? { target: values.target as Bun.Build.CompileTarget } : {}),
  },
  format: "esm",
  // A chunk for each command: what a command does not need is not even parsed.
  splitting: true,
  bytecode: true,
  minify: true,
  sourcemap: "linked",
  define: {
    "process.env.FCGIVISOR_VERSION": JSON.stringify(version),
    "process.env.FCGIVISOR_DATE": JSON.stringify(sourceDate()),
  },
  throw: false,
});
/** The day of the sources, the same in every build of them: of the commit, unless SOURCE_DATE_EPOCH says otherwise. */
function sourceDate(): string {
  const commit = () => Bun.spawnSync(["git", "log", "-1", "--format=%ct"], { stderr: "ignore" });
  const epoch = process.env["SOURCE_DATE_EPOCH"] ?? commit().stdout.toString().trim();
  return new Date(Number(epoch) * 1000).toISOString().slice(0, 10);
}

for (const log of result.logs) console.error(String(log));
if (!result.success) process.exit(1);

if (!values.target) {
  const run = Bun.spawnSync([outfile, "--version"]);
  const said = run.stdout.toString().trim();
  if (run.exitCode !== 0 || said !== `fcgivisor ${version}`) {
    console.error(`${outfile} --version said "${said}", exit ${run.exitCode}: ${run.stderr}`);
    process.exit(1);
  }
  if (!values.quiet) console.log(`built ${outfile}: ${said}`);
}
