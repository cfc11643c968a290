// The .deb as an administrator meets it: installed, filled in, updated under load, removed, purged.

import { expect } from "bun:test";
import { behaviour } from "../helper/scene.ts";
import { inOverlay, said, SAY } from "./overlay.ts";
import { makeNext, NEXT, released, VERSION } from "./releases.ts";

const STORY = `${SAY}
here=$PWD
of() { fcgivisor status --json | sed -n "s/^  \\"$1\\": \\"*\\([^\\",]*\\).*/\\1/p"; }
there() { [ -e "$1" ] && echo yes || echo no; }
alive() { pgrep -c 'fcgivisor|php-cgi'; }

dpkg -i "$here/old.deb" >install.log 2>&1; say install $?
say running_after_install "$(alive)"
fcgivisor check >check.log 2>&1; say check_unfilled $?
systemd-analyze verify --man=no /usr/lib/systemd/system/fcgivisor.service >unit.log 2>&1; say unit $?
logrotate -d /etc/logrotate.d/fcgivisor >/dev/null 2>&1; say logrotate $?
man --warnings -w 8 fcgivisor >/dev/null 2>&1; say man $?
say bash "$(there /usr/share/bash-completion/completions/fcgivisor)"

mkdir -p /srv/www && echo '<?php echo "hello";' >/srv/www/index.php
cat >>/etc/fcgivisor/fcgivisor.toml <<TOML
[pools.www]
listen = { address = "/run/fcgivisor/www.sock", owner = "www-data", mode = "0660" }
command = ["php-cgi"]
user = "www-data"
workers = 4
chdir = "/srv/www"
start_timeout = "10m"
TOML
fcgivisor start >start.log 2>&1; say start $?
say version_before "$(of version)"; say pid_before "$(of pid)"

fcgivisor bench www /index.php --rate 100 --duration 30m --timeout 10m >bench.log 2>&1 &
bench=$!
# It has begun when a worker has answered.
until fcgivisor request /index.php >/dev/null 2>&1; do :; done
dpkg -i "$here/new.deb" >update.log 2>&1; say update $?
kill -INT $bench; wait $bench; say bench $?
say lost "$(sed -n 's/^lost *\\([0-9]*\\).*/\\1/p' bench.log)"
say sent "$(sed -n 's/^sent *\\([0-9]*\\).*/\\1/p' bench.log)"
say version_after "$(of version)"; say pid_after "$(of pid)"
say filled_in "$(grep -c 'pools.www\\]$' /etc/fcgivisor/fcgivisor.toml)"
say answer "$(fcgivisor request /index.php 2>/dev/null)"

dpkg -r fcgivisor >remove.log 2>&1; say remove $?
say running_after_remove "$(alive)"
say config_after_remove "$(there /etc/fcgivisor/fcgivisor.toml)"
dpkg -P fcgivisor >purge.log 2>&1; say purge $?
say config_after_purge "$(there /etc/fcgivisor)"
say log_after_purge "$(there /var/log/fcgivisor.log)"
cat *.log >&2
`;

behaviour(
  "a .deb starts nothing by itself, loses nothing at an update, and leaves nothing behind",
  { needs: ["root", "php-cgi", "an overlay mount", "systemd", "logrotate", "man"] },
  async (scene) => {
    const next = makeNext(scene.path("next"), "deb");
    await scene.command(["cp", released(/_amd64\.deb$/), scene.path("old.deb")]);
    await scene.command(["cp", released(/_amd64\.deb$/, next), scene.path("new.deb")]);
    const outcome = await inOverlay(scene, STORY);
    const told = said(outcome);
    expect(told, `${outcome.stdout}\n${outcome.stderr}`).toMatchObject({
      install: "0",
      running_after_install: "0",
      check_unfilled: "1",
      unit: "0",
      logrotate: "0",
      man: "0",
      bash: "yes",
      start: "0",
      version_before: VERSION,
      update: "0",
      bench: "0",
      lost: "0",
      version_after: NEXT,
      pid_after: told["pid_before"]!,
      filled_in: "2",
      answer: "hello",
      remove: "0",
      running_after_remove: "0",
      config_after_remove: "yes",
      purge: "0",
      config_after_purge: "no",
      log_after_purge: "no",
    });
    expect(Number(told["sent"])).toBeGreaterThan(50);
  },
);
