// The maintainer scripts of the .deb (deb-postinst(5) and the like tell what they are called with).

import running from "./running.sh" with { type: "text" };

const script = (body: string) => `#!/bin/sh\nset -e\n\n${running}\n${body}`;

/** Installs start nothing: nobody has configured it yet. An update loses nothing: what runs becomes the new program. */
const postinst = script(`if [ "$1" = configure ]; then
    reload_systemd
    [ -z "$2" ] || each_running upgrade_one
fi
`);

const prerm = script(`if [ "$1" = remove ]; then
    stop_service
    each_running quit_one
fi
`);

const postrm = `#!/bin/sh
set -e

[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
if [ "$1" = purge ]; then
    rm -f /var/log/fcgivisor.log /var/log/fcgivisor.log.*
    rm -f /etc/systemd/system/multi-user.target.wants/fcgivisor.service
fi
`;

export const DEB_SCRIPTS = { postinst, prerm, postrm } as const;
