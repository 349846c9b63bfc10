// Frames of the tim protocol in its JSON form: bytes in, values out, and back. Nothing here knows what they mean.

export const Command = Object.freeze({
  ACK: 12,
  PING: 13,
  REGISTER: 14,
  AUTH: 16,
  OFFLINE: 17,
  OFFLINE_END: 18,
  BROADCAST_PRESENCE: 19,
  FORCED_LOGOUT: 20,
  HISTORY: 21,
  VIRTUAL_ROOM: 22,
  BUSINESS: 41,
  NODES: 42,
  MESSAGE: 90,
  PRESENCE: 91,
  REVOKE: 92,
  BURN: 93,
  STREAM: 94,
});

// Towards the server bit 7 says that the payload is JSON; from the server it says that a number to confirm follows.
const HIGH_BIT = 0x80;
const SYNC_ID_BYTES = 4;

// Raw frames are no JSON, and this page does not ask for them.
const RAW_COMMANDS = new Set([95, 96, 97]);

export function clientFrame(command, value) {
  const payload = value === undefined ? new Uint8Array() : new TextEncoder().encode(JSON.stringify(value));
  return joined(command | HIGH_BIT, payload);
}

export function confirmation(syncId) {
  return joined(Command.ACK | HIGH_BIT, syncId);
}

function joined(first, rest) {
  const frame = new Uint8Array(1 + rest.length);
  frame[0] = first;
  frame.set(rest, 1);
  return frame;
}

/** `{command, syncId, value}`; throws when the payload is no JSON. */
export function serverFrame(bytes) {
  const command = bytes[0] & ~HIGH_BIT;
  const wantsConfirmation = (bytes[0] & HIGH_BIT) !== 0;
  const start = wantsConfirmation ? 1 + SYNC_ID_BYTES : 1;
  const syncId = wantsConfirmation ? bytes.slice(1, start) : null;
  const payload = bytes.subarray(start);
  const readable = payload.length > 0 && !RAW_COMMANDS.has(command);
  return { command, syncId, value: readable ? JSON.parse(new TextDecoder().decode(payload)) : null };
}

// btoa and atob know characters of one byte only.
export function toBase64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** An id for a message of one's own: JSON numbers are exact up to 2^53 only. */
export function messageId() {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high & 0x1fffff) * 2 ** 32 + low + 1;
}
