// How much CPU reading a config may take, in units of what the same machine needs for some work of a
// known size: so a bound means the same on a fast machine and on a slow one, idle or busy.

/** User and system time of this process so far, in milliseconds. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const OBJECTS = 100_000;

/** CPU milliseconds to parse the JSON of so many small objects and to index them: the least of three. */
function measured(): number {
  const json = JSON.stringify(
    Array.from({ length: OBJECTS }, (_, i) => ({ name: `x${i}`, where: { line: i, column: 1 } })),
  );
  const once = (): number => {
    const began = cpuMs();
    const objects = JSON.parse(json) as { name: string }[];
    const index = new Map(objects.map((object) => [object.name, object]));
    if (index.size !== OBJECTS) throw new Error("the yardstick is wrong");
    return cpuMs() - began;
  };
  return Math.min(once(), once(), once());
}

let unit: number | undefined;

/** CPU milliseconds of `units` yardsticks on this machine. */
export function yardsticks(units: number): number {
  unit ??= measured();
  return units * unit;
}
