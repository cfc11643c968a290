// The version, put in by build.ts; a run from the sources has none.

export const VERSION: string = process.env.FCGIVISOR_VERSION ?? "0.0.0-dev";
