// What happens between the account and others: turns frames into contacts and conversations, and wishes into frames.
//
// Events: `changed` (something to draw again), `arrived` ({address, message}: a new message of somebody else), `notice`
// ({text}: something to tell). Frames of streams are not looked at here.

import { Contacts } from "./contacts.js";
import { Conversation } from "./conversation.js";
import { sentence } from "./errors.js";
import { Rooms } from "./rooms.js";
import { Command, messageId } from "./wire.js";

const Business = Object.freeze({ ROSTER: 1, ADD: 4, FRIEND: 5, REMOVE: 6, BLOCK: 7, BLOCKED_LIST: 18 });
const NodesKind = Object.freeze({ ROSTER: 1, PROFILES: 4, CHANGE_PROFILE: 6, BLOCKED: 8 });
const Kind = Object.freeze({ MESSAGE: 1, REVOKE: 2, BURN: 3, NOTICE: 4 });
const To = Object.freeze({ PERSON: 2, ROOM: 3 });
const HistoryOf = Object.freeze({ PERSON: 1, ROOM: 2 });
const Presence = Object.freeze({ ASKS: 1, ANSWERS: 2 });
const PAGE = 20;
const NANOSECONDS_PER_MILLISECOND = 1e6;

export class Chat extends EventTarget {
  #session;
  #profileName;
  #conversations = new Map();
  // Messages without an echo, by their id, in the order they were written.
  #unanswered = new Map();
  // Answers to questions for history do not say to which question; they come in its order.
  #historyAsked = [];
  #handlers;
  // The last request of friendship, and how things were before it.
  #hoped = null;
  contacts = null;
  rooms;
  status = "";

  /** `profileName`: published as the account's name once logged in; for accounts that were just registered. */
  constructor(session, profileName) {
    super();
    this.#session = session;
    this.#profileName = profileName;
    const chat = this;
    this.rooms = new Rooms({
      get contacts() {
        return chat.contacts;
      },
      wish: (command, value) => this.#wish(command, value),
      tell: (text) => this.#emit("notice", { text }),
      meet: (addresses) => this.#meet(addresses),
    });
    this.#handlers = new Map([
      [Command.ACK, (ack) => this.#ack(ack)],
      [Command.OFFLINE, (batch) => batch.messageList?.forEach((message) => this.#message(message, true))],
      [Command.OFFLINE_END, () => this.#upToDate()],
      [Command.HISTORY, (page) => this.#history(page)],
      [Command.NODES, (nodes) => this.#nodes(nodes)],
      [Command.MESSAGE, (message) => this.#message(message, false)],
      [Command.PRESENCE, (presence) => this.#presence(presence)],
    ]);
    session.addEventListener("state", ({ detail }) => detail.state === "online" && this.#loggedIn());
    session.addEventListener("frame", ({ detail: { command, value } }) => {
      this.#handlers.get(command)?.(value);
      this.#emit("changed");
    });
  }

  conversation(address) {
    let conversation = this.#conversations.get(address);
    if (!conversation) {
      conversation = new Conversation();
      this.#conversations.set(address, conversation);
    }
    return conversation;
  }

  // Wishes

  say(address, text) {
    const message = { id: messageId(), mine: true, text, at: Date.now(), state: "waiting", since: performance.now() };
    this.conversation(address).addUnsent(message);
    this.#unanswered.set(message.id, { address, message });
    this.#sendMessage(address, message);
    this.#emit("changed");
  }

  takeBack(address, mid) {
    this.#wish(Command.REVOKE, { ...this.#to(address), odType: Kind.REVOKE, mid });
  }

  burn(address, mid) {
    this.#wish(Command.BURN, { ...this.#to(address), odType: Kind.BURN, mid });
  }

  /** Asks to be friends, or accepts who has asked. */
  befriend(address, text = "") {
    const { relation, request } = this.contacts.at(address);
    if (relation === "friend") return this.#emit("notice", { text: "You are friends already." });
    if (!this.#business(Business.ADD, { node: address, reqStr: text })) return;
    // Only a refusal is answered, so the rest is taken for granted until then.
    this.#hoped = { address, relation, request };
    this.contacts.relate(address, relation === "asks" ? "friend" : "asked");
    this.#meet([address]);
    this.#emit("changed");
  }

  remove(address) {
    this.#business(Business.REMOVE, { node: address });
  }

  block(address) {
    this.#business(Business.BLOCK, { node: address });
  }

  older(address) {
    const conversation = this.conversation(address);
    // A number belongs to the page before it as well, and is known by then.
    this.#askHistory(address, conversation.oldest);
  }

  setStatus(text) {
    this.status = text;
    this.#wish(Command.BROADCAST_PRESENCE, { show: 0, status: text });
  }

  #wish(command, value) {
    const sent = this.#session.send(command, value);
    if (!sent) this.#emit("notice", { text: "That needs the connection; try again once it is back." });
    return sent;
  }

  #business(rtype, rest = {}) {
    return this.#wish(Command.BUSINESS, { rtype, ...rest });
  }

  #sendMessage(address, message) {
    const { id, text } = message;
    const frame = { ...this.#to(address), odType: Kind.MESSAGE, id, dataString: text };
    if (this.#session.send(Command.MESSAGE, frame)) message.state = "sent";
  }

  #to(address) {
    const node = { node: address };
    return this.rooms.has(address) ? { msType: To.ROOM, roomTid: node } : { msType: To.PERSON, toTid: node };
  }

  #emit(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), { detail }));
  }

  // After a login

  #loggedIn() {
    this.contacts ??= new Contacts(this.#session.me);
    this.#historyAsked = [];
    // With the same ids: what was stored before the connection broke is not stored a second time.
    for (const { address, message } of this.#unanswered.values()) this.#sendMessage(address, message);
    this.#wish(Command.OFFLINE);
    this.#emit("changed");
  }

  #upToDate() {
    this.#business(Business.ROSTER);
    this.#business(Business.BLOCKED_LIST);
    this.rooms.list();
    if (this.#profileName) {
      const usermap = { [this.#session.me]: { nickName: this.#profileName } };
      this.#wish(Command.NODES, { ntype: NodesKind.CHANGE_PROFILE, usermap });
      this.#profileName = null;
    }
    this.#wish(Command.BROADCAST_PRESENCE, { subStatus: Presence.ASKS, show: 0, status: this.status });
    this.#askProfiles(this.contacts.addresses);
    // What was said on other devices while this one was away.
    for (const [address, { opened }] of this.#conversations) if (opened) this.#askHistory(address, 0);
  }

  /** The page up to number `from`, which is the newest one with 0. */
  #askHistory(address, from) {
    const rtype = this.rooms.has(address) ? HistoryOf.ROOM : HistoryOf.PERSON;
    const asked = { rtype, node: address, reqInt: from, reqInt2: PAGE };
    if (this.#wish(Command.HISTORY, asked)) this.#historyAsked.push({ address, from });
  }

  // What the server says

  #ack(ack) {
    const answers = new Map([
      [Command.HISTORY, () => this.#historyAsked.shift()],
      [Command.BUSINESS, () => this.#businessAnswered(ack)],
      [Command.MESSAGE, () => this.#messageRefused(ack)],
      [Command.REVOKE, () => ack.ok && this.#gone(ack.n, ack.t2, Kind.REVOKE)],
      [Command.BURN, () => ack.ok && this.#gone(ack.n, ack.t2, Kind.BURN)],
    ]);
    answers.get(ack.timType)?.();
    const elsewhere = ack.timType === Command.VIRTUAL_ROOM || ack.timType === Command.STREAM;
    if (!ack.ok && !elsewhere) this.#emit("notice", { text: sentence(ack) });
  }

  #businessAnswered(ack) {
    const { ok, t, n } = ack;
    this.rooms.answered(ack);
    if (!ok && t === Business.ADD) this.#forgetHope();
    if (ok && t === Business.REMOVE) this.contacts.relate(n, "none");
    if (ok && t === Business.BLOCK) this.contacts.relate(n, "blocked");
  }

  /** The last request was refused: things are as they were before it. */
  #forgetHope() {
    const { address, relation, request } = this.#hoped ?? {};
    this.#hoped = null;
    if (!address) return;
    if (relation === "asks") this.contacts.asks(address, request);
    else this.contacts.relate(address, relation);
    // Where the refusal was "friends already".
    this.#business(Business.ROSTER);
  }

  #messageRefused({ ok, t2, timType, error }) {
    const refused = this.#unanswered.get(t2);
    if (ok || !refused) return;
    this.#unanswered.delete(t2);
    Object.assign(refused.message, { state: "refused", note: sentence({ timType, error }) });
  }

  #message(message, wasAway) {
    const from = message.fromTid?.node;
    const mine = from === this.#session.me;
    if (message.odType === Kind.NOTICE && message.roomTid) return this.rooms.notice(message);
    const isInRoom = message.msType === To.ROOM;
    const address = isInRoom ? message.roomTid?.node : mine ? message.toTid?.node : from;
    if (!address) return;
    if (isInRoom && !mine && !this.contacts.get(from)) this.#meet([from]);
    if (message.odType === Kind.MESSAGE) this.#said(address, message, mine);
    else if (message.odType === Kind.NOTICE) this.#notice(address, message, wasAway);
    else if (!message.mid) return;
    else this.#gone(address, message.mid, message.odType);
  }

  #said(address, message, mine) {
    const own = this.#unanswered.get(message.id);
    if (mine && own) {
      this.#unanswered.delete(message.id);
      own.message.took = Math.round(performance.now() - own.message.since);
      return this.conversation(address).stored(own.message, message.mid);
    }
    const told = shown(message, mine);
    if (!this.conversation(address).add(told) || mine) return;
    this.contacts.at(address);
    this.#emit("arrived", { address, message: told });
  }

  #gone(address, mid, kind) {
    const note = kind === Kind.BURN ? "burnt after reading" : "taken back";
    this.conversation(address).remove(mid, note);
  }

  #notice(address, { bnType, dataString }) {
    const { contacts } = this;
    if (bnType === Business.ADD) {
      contacts.asks(address, dataString);
      this.#askProfiles([address]);
      this.#emit("notice", { text: "Somebody asks to be your friend." });
    } else if (bnType === Business.FRIEND) {
      contacts.relate(address, "friend");
      this.#meet([address]);
      this.#emit("notice", { text: `You and ${contacts.name(address)} are friends now.` });
    } else if (bnType === Business.REMOVE || bnType === Business.BLOCK) {
      if (contacts.get(address)?.relation === "friend") contacts.relate(address, "none");
    }
  }

  #history(page) {
    const asked = this.#historyAsked.shift();
    if (!asked) return;
    const conversation = this.conversation(asked.address);
    const listed = page.messageList ?? [];
    const reachesKnown = listed.some(({ mid }) => conversation.byNumber(mid));
    for (const message of listed) {
      if (message.odType === Kind.MESSAGE) conversation.add(shown(message, message.fromTid?.node === this.#session.me));
    }
    const lowest = listed.at(-1)?.mid ?? 0;
    if (listed.length < PAGE) conversation.complete = true;
    else if (asked.from === 0 && !reachesKnown) conversation.startAt(lowest);
  }

  #nodes(nodes) {
    const { ntype, nodelist, usermap } = nodes;
    this.rooms.nodes(nodes);
    if (ntype === NodesKind.ROSTER) {
      this.contacts.listed("friend", nodelist ?? []);
      this.#askProfiles(nodelist ?? []);
    } else if (ntype === NodesKind.BLOCKED) {
      this.contacts.listed("blocked", nodelist ?? []);
      this.#askProfiles(nodelist ?? []);
    } else if (ntype === NodesKind.PROFILES) {
      for (const [address, { nickName }] of Object.entries(usermap ?? {})) {
        if (this.contacts.get(address)) this.contacts.get(address).name = String(nickName ?? "");
      }
    }
  }

  #presence(presence) {
    const address = presence.fromTid?.node;
    if (!address || address === this.#session.me) return;
    this.contacts.presence(address, presence);
    if (presence.subStatus === Presence.ASKS && this.contacts.get(address).relation === "friend") {
      this.#tellPresence(address, Presence.ANSWERS);
    }
  }

  #tellPresence(address, subStatus) {
    this.#wish(Command.PRESENCE, { subStatus, show: 0, status: this.status, toTid: { node: address } });
  }

  /** Names of people, and the presence of friends. */
  #meet(addresses) {
    for (const address of addresses) this.contacts.at(address);
    this.#askProfiles(addresses);
    for (const address of addresses) {
      if (this.contacts.get(address)?.relation === "friend") this.#tellPresence(address, Presence.ASKS);
    }
  }

  #askProfiles(nodelist) {
    if (nodelist.length > 0) this.#wish(Command.NODES, { ntype: NodesKind.PROFILES, nodelist });
  }
}

function shown({ id, mid, dataString, timestamp, fromTid }, mine) {
  const at = timestamp ? timestamp / NANOSECONDS_PER_MILLISECOND : null;
  return { id, mid, mine, from: fromTid?.node, text: dataString ?? "", at, state: "stored" };
}
