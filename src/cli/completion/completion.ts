// `fcgivisor completion SHELL`: the script that makes a shell complete command lines of this program. The scripts
// know no option themselves: they ask `fcgivisor complete` what may come next.

import { didYouMean } from "../../config/nearest.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../print-data.ts";
import { usageFault } from "../usage.ts";

const SHELLS = {
  bash: async () => (await import("./fcgivisor.bash", { with: { type: "text" } })).default,
  zsh: async () => (await import("./fcgivisor.zsh", { with: { type: "text" } })).default,
  fish: async () => (await import("./fcgivisor.fish", { with: { type: "text" } })).default,
} as const;

const NAMES = Object.keys(SHELLS);

function isShell(name: string): name is keyof typeof SHELLS {
  return Object.hasOwn(SHELLS, name);
}

export default defineCommand({
  name: "completion",
  description: `Prints the script that completes command lines in a shell: ${NAMES.join(", ")}. Its first lines tell where it belongs.`,
  options: {
    shell: {
      type: "positional",
      description: "which shell",
      choices: { bash: "", zsh: "", fish: "" },
    },
  },
  async run({ shell }) {
    if (!isShell(shell)) {
      throw usageFault(
        `there is no completion for "${shell}", only for ${NAMES.join(", ")}${didYouMean(shell, NAMES)}`,
        "completion",
      );
    }
    printData(await SHELLS[shell]());
    return 0;
  },
});
