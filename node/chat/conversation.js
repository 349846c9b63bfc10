// One conversation: its messages in the order of their numbers, those without a number yet at the end.
//
// A message is {id, mid, mine, from, text, at, state, note}; state: waiting, sent, stored, refused, gone.

export class Conversation {
  messages = [];
  /** Whether nothing older is left on the server. */
  complete = false;
  /** Whether its history was asked for. */
  opened = false;

  /** The smallest number known, 0 if none. */
  get oldest() {
    return this.messages.find((message) => message.mid)?.mid ?? 0;
  }

  byNumber(mid) {
    return this.messages.find((message) => message.mid === mid);
  }

  /** Takes in a message with a number, unless it is there: the server may give one twice. Whether it was new. */
  add(message) {
    if (this.byNumber(message.mid)) return false;
    const later = this.messages.findIndex((other) => !other.mid || other.mid > message.mid);
    this.messages.splice(later < 0 ? this.messages.length : later, 0, message);
    return true;
  }

  /** Forgets what is older: it can be asked for again, and must not stand beside what is newer with a gap between. */
  startAt(mid) {
    this.messages = this.messages.filter((message) => !message.mid || message.mid >= mid);
    this.complete = false;
  }

  /** A message of one's own that is on its way. */
  addUnsent(message) {
    this.messages.push(message);
  }

  /** The echo has come: the message has its number and its place. */
  stored(message, mid) {
    this.messages.splice(this.messages.indexOf(message), 1);
    Object.assign(message, { mid, state: "stored" });
    // It may be here already, from the history.
    const known = this.byNumber(mid);
    if (known) this.messages.splice(this.messages.indexOf(known), 1);
    this.add(message);
  }

  /** Taken back or burnt: the text is gone, the place stays. */
  remove(mid, note) {
    const message = this.byNumber(mid);
    if (message) Object.assign(message, { text: "", state: "gone", note });
  }
}
