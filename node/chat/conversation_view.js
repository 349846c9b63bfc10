// One conversation: its messages with their states as words, and the form to write.

import { button, byId, element, follow, onSubmit, setText } from "./dom.js";

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });

/** Shows the conversation that is chosen. */
export function conversationView(chat) {
  const list = byId("messages");
  const form = byId("write-form");
  let address = null;

  function create(message) {
    const act = message.mine
      ? button("Take back", () => chat.takeBack(address, message.mid))
      : button("Burn", () => chat.burn(address, message.mid));
    const text = element("p", { className: "text", dir: "auto" });
    const meta = element("p", { className: "meta" }, element("span"), act);
    return element("li", { className: message.mine ? "mine" : "theirs" }, text, meta);
  }

  function update(item, message) {
    const [text, meta] = item.children;
    const [about, act] = meta.children;
    setText(text, message.state === "gone" ? `This message was ${message.note}.` : message.text);
    setText(about, aboutText(message));
    item.dataset.state = message.state;
    // What is said to many is nobody's to burn.
    const isForeign = !message.mine && chat.rooms.has(address);
    act.hidden = message.state !== "stored" || !message.mid || isForeign;
    act.ariaLabel = `${act.textContent}: message ${message.mid}`;
  }

  function aboutText(message) {
    const who = message.mine ? "You" : chat.contacts.name(message.from ?? address);
    const when = message.at ? clock.format(message.at) : "";
    return [who, when, stateText(message)].filter((part) => part).join(" · ");
  }

  onSubmit(form, (filled) => {
    const text = String(filled.get("text"));
    if (!address || !text.trim()) return;
    chat.say(address, text);
    form.reset();
  });
  // Enter sends, as people are used to; Shift and Enter makes a new line.
  form.elements.text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  byId("older").addEventListener("click", () => chat.older(address));
  byId("remove").addEventListener("click", () => chat.remove(address));
  byId("block").addEventListener("click", () => chat.block(address));

  return {
    open(chosen) {
      address = chosen;
      list.replaceChildren();
      const conversation = chat.conversation(address);
      if (!conversation.opened) chat.older(address);
      if (chat.rooms.has(address)) chat.rooms.look(address);
      conversation.opened = true;
      this.draw();
      form.elements.text.focus();
    },
    draw() {
      byId("conversation").hidden = !address;
      if (!address) return;
      const { messages, complete } = chat.conversation(address);
      const isFriend = chat.contacts.get(address)?.relation === "friend";
      setText(byId("peer"), chat.contacts.name(address));
      byId("older").hidden = complete;
      byId("remove").hidden = !isFriend;
      byId("block").hidden = ["blocked", "room"].includes(chat.contacts.get(address)?.relation);
      const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
      follow(list, messages, ({ mine, id, mid }) => (mine && id) || `mid ${mid}`, create, update);
      if (atEnd) list.scrollTop = list.scrollHeight;
    },
    get address() {
      return address;
    },
  };
}

function stateText({ mine, state, mid, took, note }) {
  if (state === "waiting") return "waiting for the connection";
  if (state === "sent") return "sent";
  if (state === "refused") return `refused: ${note}`;
  if (state === "gone") return `number ${mid}`;
  const speed = took === undefined ? "" : ` in ${took} ms`;
  return mine ? `stored as number ${mid}${speed}` : `number ${mid}`;
}
