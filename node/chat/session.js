// One login that outlives its connections: connects, logs in, confirms, pings, and comes back after a break by the rules
// of docs/clients.
//
// Events: `state` ({state, text, ...}: connecting, online, waiting, ended) and `frame` ({command, value}).

import { waitBefore } from "./backoff.js";
import { Code, sentence } from "./errors.js";
import { Command, clientFrame, confirmation, serverFrame } from "./wire.js";

const PING_EVERY_MS = 15_000;
// Three pings without any answer: the connection is dead though nobody said so.
const SILENCE_MAX_MS = 45_000;
const LOGIN_MAX_MS = 15_000;
// A connection that lasted so long was a good one: the waits begin anew.
const GOOD_AFTER_MS = 10_000;
const CLOSED_FOR_DRAIN = 1012;
// What a login may meet while the cluster is busy; it passes.
const PASSING = new Set([Code.OVER_ENTRY, Code.DATABASE, Code.OVERLOAD]);

const TAKEN_OVER =
  "You were logged out: another device has logged in with this account, or an administrator has blocked it. " +
  "This page does not reconnect by itself.";

function detailed(type, detail) {
  return Object.assign(new Event(type), { detail });
}

export class Session extends EventTarget {
  #url;
  #credentials;
  #socket = null;
  #heard = 0;
  #timers = new Set();
  #attempt = 0;
  #wasOnline = false;
  #ended = false;
  /** The account's own address, once logged in. */
  me = null;
  online = false;

  constructor(url, name, password) {
    super();
    this.#url = url;
    this.#credentials = { name, pwd: password, resource: "chat page", termtyp: 2 };
  }

  start() {
    this.#connect();
  }

  /** Leaves for good. */
  end(text = "You are logged out.") {
    if (this.#ended) return;
    this.#ended = true;
    this.#credentials = null;
    this.#drop();
    this.#tell("ended", { text });
  }

  /** Sends when online; whether it did. */
  send(command, value) {
    if (!this.online) return false;
    this.#socket.send(clientFrame(command, value));
    return true;
  }

  /** Connects now instead of after the wait, when there is a reason to hope. */
  hurry() {
    if (this.#ended || this.#socket) return;
    this.#clearTimers();
    this.#connect();
  }

  #tell(state, rest) {
    this.dispatchEvent(detailed("state", { state, ...rest }));
  }

  #connect() {
    this.#tell("connecting", { text: "Connecting …" });
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    // A socket that was given up may still report; only the present one counts.
    const ifPresent = (handle) => (event) => this.#socket === socket && handle(event);
    socket.onopen = ifPresent(() => socket.send(clientFrame(Command.AUTH, this.#credentials)));
    socket.onmessage = ifPresent((event) => this.#received(new Uint8Array(event.data)));
    socket.onclose = ifPresent((event) => this.#broken(event.code));
    this.#after(LOGIN_MAX_MS, () => !this.online && this.#broken(0));
  }

  #received(bytes) {
    this.#heard = performance.now();
    let frame;
    try {
      frame = serverFrame(bytes);
    } catch {
      // Without a confirmation the server gives it again; another version of the page may read it.
      return;
    }
    if (frame.command === Command.ACK && frame.value.timType === Command.AUTH) {
      this.#loginAnswered(frame.value);
    } else if (frame.command === Command.ACK && frame.value.timType === Command.FORCED_LOGOUT) {
      this.end(TAKEN_OVER);
    } else {
      this.dispatchEvent(detailed("frame", frame));
      // Only what has been taken in is confirmed: what is confirmed is not given again.
      if (frame.syncId && this.#socket) this.#socket.send(confirmation(frame.syncId));
    }
  }

  #loginAnswered(ack) {
    if (!ack.ok) return this.#loginRefused(ack);
    this.me = ack.n;
    this.online = true;
    this.#wasOnline = true;
    this.#clearTimers();
    this.#every(PING_EVERY_MS, () => this.#ping());
    this.#after(GOOD_AFTER_MS, () => {
      this.#attempt = 0;
    });
    this.#tell("online", { text: "Online" });
  }

  #loginRefused(ack) {
    const passes = this.#wasOnline && PASSING.has(ack.error?.code);
    if (!passes) return this.end(sentence(ack));
    this.#drop();
    this.#wait(sentence(ack));
  }

  #ping() {
    if (performance.now() - this.#heard > SILENCE_MAX_MS) return this.#broken(0);
    this.send(Command.PING);
  }

  #broken(code) {
    this.#drop();
    if (!this.#wasOnline) return this.end("The server does not answer. Try again in a moment.");
    if (code === CLOSED_FOR_DRAIN && this.#attempt === 0) {
      // The node leaves on purpose, and the address leads to another one.
      this.#attempt = 1;
      return this.#connect();
    }
    this.#wait("The connection broke.");
  }

  #wait(reason) {
    const wait = waitBefore(this.#attempt, Math.random());
    this.#attempt += 1;
    const text = `${reason} Reconnecting (attempt ${this.#attempt}) …`;
    this.#tell("waiting", { text });
    this.#after(wait, () => this.#connect());
  }

  #drop() {
    this.online = false;
    this.#clearTimers();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #after(milliseconds, act) {
    this.#timers.add(setTimeout(act, milliseconds));
  }

  #every(milliseconds, act) {
    this.#timers.add(setInterval(act, milliseconds));
  }

  #clearTimers() {
    // Browsers keep both kinds under one set of numbers.
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.#timers.clear();
  }
}
