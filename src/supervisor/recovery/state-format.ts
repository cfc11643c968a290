// Which state files this program writes and reads, for itself and for a program that thinks of
// handing over to it.

/** Grows when a reader of the former number would misunderstand. */
export const STATE_FORMAT = 1;

/** For a folder that is no place for a state. */
export const STATE_DIR_HINT =
  "give it, and the folders it is in, to root or to this user, with mode 0755, or choose another [supervisor] state_dir";

/** The hidden command word that prints it. */
export const STATE_FORMAT_WORD = "state-format";
