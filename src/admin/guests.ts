// How many connections to a control socket others than root and our own user may hold at once: each is a descriptor
// and memory of ours, and where everybody may connect anybody could open them without end. Pure.

/** Of one user; a monitor keeps one, a page that shows it a few. */
const OF_ONE_MOST = 64;
/** Of all of them. */
const OF_ALL_MOST = 512;

export class Guests {
  private readonly held = new Map<number, number>();
  private all = 0;

  /** Whether one more of this user may stay; then `leave` is to be called at its end. */
  admit(uid: number): boolean {
    const count = this.held.get(uid) ?? 0;
    if (count >= OF_ONE_MOST || this.all >= OF_ALL_MOST) return false;
    this.held.set(uid, count + 1);
    this.all++;
    return true;
  }

  leave(uid: number): void {
    const count = this.held.get(uid) ?? 0;
    if (count > 1) this.held.set(uid, count - 1);
    else this.held.delete(uid);
    this.all--;
  }
}
