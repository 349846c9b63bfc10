// How long to wait before the next attempt to connect: from 100 ms, doubled up to 5 s, so that many clients of a node that
// has died do not come to the next one all at once.

const FIRST_MS = 100;
const LONGEST_MS = 5000;

/** `attempt` counts from 0; `chance` in 0..1 takes up to half of the wait away. */
export function waitBefore(attempt, chance) {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return whole * (1 - chance / 2);
}
