// Times, sizes and numbers in few characters, for tables. What is not told (NaN, see older.ts) is `?`.

export function number(value: number): string {
  return Number.isNaN(value) ? "?" : String(value);
}

/** `5 s`, `3 min 2 s`, `7 h 4 min`, `9 d`. */
export function age(ms: number): string {
  if (Number.isNaN(ms)) return "?";
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const hours = Math.floor(seconds / 3600);
  return hours < 48
    ? `${hours} h ${Math.floor((seconds % 3600) / 60)} min`
    : `${Math.floor(hours / 24)} d`;
}

/** How long a request has been running: `0.4 s` below ten seconds. */
export function requestAge(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : age(ms);
}

export function megabytes(bytes: number | null): string {
  if (bytes === null) return "?";
  const mb = bytes / 1024 / 1024;
  return mb < 9.95 ? `${mb.toFixed(1)} MB` : `${Math.round(mb)} MB`;
}

export function times(count: number): string {
  return count === 1 ? "once" : `${number(count)} times`;
}
