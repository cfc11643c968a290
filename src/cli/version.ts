// Version and date, put in by build.ts; a run from the sources has none.

export const VERSION: string = process.env.FCGIVISOR_VERSION ?? "0.0.0-dev";
/** Of the sources that it was built from, YYYY-MM-DD. */
export const DATE: string = process.env.FCGIVISOR_DATE ?? "1970-01-01";
