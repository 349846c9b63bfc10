// Rooms: which ones the account is in, who is in them, who wants to be let in.
//
// A room is shown like a contact, under its id, with the relation `room`.

import { Command } from "./wire.js";

const Business = Object.freeze({
  LIST: 2, MEMBERS: 3, CREATE: 8, JOIN: 9, PASSED: 10, REFUSE: 11, TAKE_IN: 12, REMOVED: 13, LEAVE: 16,
});
const NodesKind = Object.freeze({ LIST: 2, MEMBERS: 3, ABOUT: 5 });
const Type = Object.freeze({ PRIVATE: 1, OPEN: 2 });

export class Rooms {
  #chat;
  #members = new Map();
  // Who wants to be let in, with their words, by room.
  #applicants = new Map();

  /** `chat`: {contacts, wish(command, value), tell(text), meet(addresses)}. */
  constructor(chat) {
    this.#chat = chat;
  }

  has(address) {
    return this.#chat.contacts?.get(address)?.relation === "room";
  }

  members(room) {
    return this.#members.get(room) ?? [];
  }

  applicants(room) {
    return [...(this.#applicants.get(room) ?? [])].map(([address, text]) => ({ address, text }));
  }

  // Wishes

  create(topic, isPrivate) {
    this.#ask(Business.CREATE, { node: topic, reqInt: isPrivate ? Type.PRIVATE : Type.OPEN });
  }

  join(room, text) {
    if (this.#ask(Business.JOIN, { node: room, reqStr: text })) {
      this.#chat.tell("Asked to join. An open room takes you in at once, a private one when somebody lets you in.");
    }
  }

  takeIn(room, address) {
    this.#ask(Business.TAKE_IN, { node: room, node2: address });
  }

  refuse(room, address) {
    this.#ask(Business.REFUSE, { node: room, node2: address });
  }

  leave(room) {
    this.#ask(Business.LEAVE, { node: room });
  }

  /** Asks who is in a room. */
  look(room) {
    this.#ask(Business.MEMBERS, { node: room });
  }

  list() {
    this.#ask(Business.LIST);
  }

  #ask(rtype, rest = {}) {
    return this.#chat.wish(Command.BUSINESS, { rtype, ...rest });
  }

  // What the server says

  answered({ ok, t, n, n2 }) {
    if (!ok) return;
    if (t === Business.CREATE) this.#isIn(n, "The room is there. Tell others its id, or take them in.");
    if (t === Business.LEAVE) this.#isOut(n, "You have left the room.");
    if (t === Business.TAKE_IN || t === Business.REFUSE) {
      this.#applicants.get(n)?.delete(n2);
      this.look(n);
    }
  }

  nodes({ ntype, nodelist, node, roommap }) {
    const listed = nodelist ?? [];
    if (ntype === NodesKind.LIST) {
      this.#chat.contacts.listed("room", listed);
      this.#learn(listed);
    } else if (ntype === NodesKind.MEMBERS) {
      this.#members.set(node, listed);
      this.#chat.meet(listed.filter((address) => !this.#chat.contacts.get(address)?.name));
    } else if (ntype === NodesKind.ABOUT) {
      for (const [room, { topic }] of Object.entries(roommap ?? {})) {
        if (this.has(room)) this.#chat.contacts.get(room).name = String(topic ?? "");
      }
    }
  }

  notice({ bnType, roomTid, fromTid, dataString }) {
    const room = roomTid.node;
    const name = this.#chat.contacts.name(room);
    if (bnType === Business.JOIN && fromTid) {
      const waiting = this.#applicants.get(room) ?? new Map();
      this.#applicants.set(room, waiting.set(fromTid.node, String(dataString ?? "")));
      this.#chat.meet([fromTid.node]);
      this.#chat.tell(`Somebody asks to join ${name}.`);
    } else if (bnType === Business.PASSED || bnType === Business.TAKE_IN) {
      this.#isIn(room, "You are in a room.");
    } else if (bnType === Business.REFUSE) {
      this.#chat.tell(`You were not let into ${name}.`);
    } else if (bnType === Business.REMOVED) {
      this.#isOut(room, `You were removed from ${name}.`);
    }
  }

  #isIn(room, text) {
    this.#chat.contacts.relate(room, "room");
    this.#learn([room]);
    this.#chat.tell(text);
  }

  #isOut(room, text) {
    this.#chat.contacts.relate(room, "none");
    this.#members.delete(room);
    this.#applicants.delete(room);
    this.#chat.tell(text);
  }

  #learn(rooms) {
    if (rooms.length > 0) this.#chat.wish(Command.NODES, { ntype: NodesKind.ABOUT, nodelist: rooms });
  }
}
