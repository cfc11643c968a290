// Which state files this program writes and reads, for itself and for a program that thinks of
// handing over to it.

/** Grows when a reader of the former number would misunderstand. */
export const STATE_FORMAT = 1;

/** The hidden command word that prints it. */
export const STATE_FORMAT_WORD = "state-format";
