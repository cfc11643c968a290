// What a pool names and this machine has not: users, groups, folders, its health script. Only for a
// config that is going to run here; a conversion may be for another machine.

import { basename, join } from "node:path";
import {
  existsLack,
  fileLack,
  folderLack,
  groupLack,
  type Lack,
  userLack,
} from "../../sys/machine/machine.ts";
import type { PoolConfig } from "../model.ts";

export interface PoolLack extends Lack {
  readonly setting: string;
}

/** `uid`: of whoever is going to run it; only root's workers can have another user or root directory. */
export function poolLacks(pool: PoolConfig, uid: number): PoolLack[] {
  const root = uid === 0 ? pool.chroot : null;
  const chroot = folder("chroot", root);
  return [
    ...ask("user", uid === 0 ? pool.user : null, userLack),
    ...ask("group", uid === 0 ? pool.group : null, groupLack),
    ...ask("listen.owner", pool.listen.owner, userLack),
    ...ask("listen.group", pool.listen.group, groupLack),
    ...pool.listen.aclUsers.flatMap((name) => ask("listen.acl_users", name, userLack)),
    ...pool.listen.aclGroups.flatMap((name) => ask("listen.acl_groups", name, groupLack)),
    // Without the root directory nothing is inside it either.
    ...(chroot.length > 0 ? chroot : folder("chdir", inside(root, pool.chdir))),
    ...(uid === 0 && pool.readOnly ? pool.writable : []).flatMap((path) =>
      folder("writable", inside(root, path)),
    ),
    ...named(ask("php.ini", inside(loadsOutside(pool) ? null : root, pool.php.ini), iniLack)),
    ...named(ask("health.script", inside(root, pool.health?.script ?? null), fileLack)),
  ];
}

/** php-fpm reads its php.ini before it enters the root directory. */
function loadsOutside({ runtime, command }: PoolConfig): boolean {
  const isPhpFpm = /^php[0-9.]*-?fpm[0-9.]*$/.test(basename(command[0] ?? ""));
  return runtime === null ? isPhpFpm : runtime === "php-fpm";
}

/** php-cgi does not mind, and runs with what is built in: errors are shown to everybody, for one. */
function iniLack(path: string): Lack | null {
  const lack = existsLack(path);
  return lack === null
    ? null
    : { ...lack, message: `${lack.message}; PHP would run with its built-in settings` };
}

function ask(
  setting: string,
  value: string | null,
  question: (value: string) => Lack | null,
): PoolLack[] {
  const lack = value === null ? null : question(value);
  return lack === null ? [] : [{ setting, ...lack }];
}

function folder(setting: string, path: string | null): PoolLack[] {
  return named(ask(setting, path, folderLack));
}

/** A path alone does not tell which setting it is from. */
function named(lacks: readonly PoolLack[]): PoolLack[] {
  return lacks.map((lack) => ({ ...lack, message: `${lack.setting}: ${lack.message}` }));
}

function inside(root: string | null, path: string | null): string | null {
  return root === null || path === null ? path : join(root, path);
}
