// The logrotate snippet: the program reopens its files by itself, and says when it could not.

import { shellWord } from "../../log/words.ts";
import type { ServiceFacts } from "./facts.ts";

export function logrotateSnippet({
  program,
  words,
  config,
  log,
  backgroundLog,
}: ServiceFacts): string {
  const command = [program, "logrotate", "--quiet", ...words].map(shellWord).join(" ");
  const note =
    log === null
      ? "# The log goes to stderr with \`run\`, which needs no rotation; this is the file that \`start\` uses.\n"
      : "";
  return `# /etc/logrotate.d/fcgivisor
# Made by \`fcgivisor service logrotate\` for ${config}
${note}
"${backgroundLog.replaceAll('"', '\\"')}" {
    weekly
    rotate 8
    missingok
    notifempty
    compress
    delaycompress
    nocreate
    sharedscripts
    postrotate
        # 3: it is not running, so no file is open.
        ${command} || [ $? -eq 3 ]
    endscript
}
`;
}
