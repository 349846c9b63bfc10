// Whom one knows: friends, who asks to be one, who was asked, who is blocked, rooms; with names, presence, unread messages.

import { keepRequests, keptRequests } from "./memory.js";

const SHORT_ADDRESS = 6;

export class Contacts {
  #account;
  #byAddress = new Map();

  constructor(account) {
    this.#account = account;
    for (const [address, text] of keptRequests(account)) this.asks(address, text);
  }

  get all() {
    return [...this.#byAddress.values()];
  }

  get addresses() {
    return [...this.#byAddress.keys()];
  }

  get(address) {
    return this.#byAddress.get(address);
  }

  /** relation: friend, asks, asked, blocked, room, none. */
  at(address) {
    let contact = this.#byAddress.get(address);
    if (!contact) {
      contact = { address, name: "", relation: "none", request: "", online: false, status: "", unread: 0 };
      this.#byAddress.set(address, contact);
    }
    return contact;
  }

  name(address) {
    return this.get(address)?.name || `${address.slice(0, SHORT_ADDRESS)}…`;
  }

  /** The server's list, whole. */
  listed(relation, addresses) {
    const listed = new Set(addresses);
    for (const contact of this.all) {
      if (contact.relation === relation && !listed.has(contact.address)) this.relate(contact.address, "none");
    }
    addresses.forEach((address) => this.relate(address, relation));
  }

  relate(address, relation) {
    const contact = this.at(address);
    const asked = contact.relation === "asks";
    contact.relation = relation;
    if (relation !== "friend") Object.assign(contact, { online: false, status: "" });
    if (relation !== "asks") contact.request = "";
    if (asked || relation === "asks") this.#keepRequests();
  }

  asks(address, text) {
    this.at(address).request = String(text ?? "");
    this.relate(address, "asks");
  }

  presence(address, { offline, status }) {
    Object.assign(this.at(address), { online: !offline, status: offline ? "" : (status ?? "") });
  }

  #keepRequests() {
    const waiting = this.all.filter(({ relation }) => relation === "asks");
    keepRequests(this.#account, waiting.map(({ address, request }) => [address, request]));
  }
}
