// The list of contacts with what can be done about each, and the form to ask somebody.

import { button, byId, element, follow, onSubmit, setText } from "./dom.js";

const RELATIONS = {
  asks: "asks to be your friend",
  asked: "has not answered yet",
  blocked: "blocked",
  room: "room",
};

/** Shows what `chat` knows; `open(address)` is called when somebody is chosen, `find(text)` makes an address of a name. */
export function contactsView(chat, open, current, find) {
  const list = byId("contacts");

  function create({ address }) {
    const name = element("span", { className: "name" });
    const about = element("span", { className: "about" });
    const unread = element("span", { className: "unread" });
    const choose = button("", () => open(address), { className: "choose" });
    choose.append(name, unread, about);
    return element("li", {}, choose, element("span", { className: "actions" }));
  }

  function update(item, contact) {
    const [choose, actions] = item.children;
    const [name, unread, about] = choose.children;
    setText(name, chat.contacts.name(contact.address));
    setText(unread, contact.unread ? ` ${contact.unread} new` : "");
    setText(about, aboutText(contact));
    choose.title = contact.address;
    item.dataset.online = String(contact.online);
    if (current() === contact.address) choose.setAttribute("aria-current", "true");
    else choose.removeAttribute("aria-current");
    const wanted = actionsFor(contact);
    follow(actions, wanted, ([label]) => label, ([label, act]) => button(label, act), (each, [label]) => {
      each.ariaLabel = `${label} ${chat.contacts.name(contact.address)}`;
    });
  }

  function actionsFor({ address, relation }) {
    if (relation === "asks") return [["Accept", () => chat.befriend(address)], ["Block", () => chat.block(address)]];
    if (relation === "blocked") return [["Unblock", () => chat.remove(address)]];
    return [];
  }

  onSubmit(byId("add-form"), (filled) => {
    const whom = String(filled.get("address")).trim();
    if (!whom) return;
    chat.befriend(find(whom), String(filled.get("text")).trim());
    byId("add-form").reset();
  });

  return function draw() {
    const known = chat.contacts.all.filter(({ relation, unread }) => relation !== "none" || unread > 0);
    follow(list, known, ({ address }) => address, create, update);
    byId("no-contacts").hidden = known.length > 0;
  };
}

function aboutText({ relation, online, status, request }) {
  if (relation !== "friend") return [RELATIONS[relation], request].filter((part) => part).join(": ");
  return [online ? "online" : "offline", status].filter((part) => part).join(": ");
}
