// What values of php-fpm's INI files are made of, for the tests that put them together at random.

/** PHP's own variables are not among them: they are another matter (see `help legacy`). */
export const ENV = { SET: "a value", WORD: "on", EMPTY: "" };

export const PIECES = [
  ..."a|b c|on|Off|none|NULL|yes|true|no|1|007|0x10|-5|12|3.5|10s|5m|4K|1e3".split("|"),
  ..."E_ALL|E_NOTICE|PHP_VERSION|M_PI|/|/srv|.|-|_|:|@|%|?|+|*|,|<|>|$|$pool|$SET|{|}".split("|"),
  ...['"', '"', "'", "'", "\\", "\\\\", '\\"', "\\'", "\\$", '"a b"', "'c d'", '"on"', "'off'"],
  ...["${SET}", "${WORD}", "${EMPTY}", "${NOPE}", "${SET", '"${SET}"', "'${SET}'", '"\\${SET}"'],
  ...[" ", " ", "\t", ";", "; c", "#", "=", "|", "&", "~", "!", "(", ")", "^", "[", "]"],
];
