// The forms to make and join rooms, and what is beside the conversation of one: members, applicants, the way out.

import { button, byId, element, follow, onSubmit, setText } from "./dom.js";

/** Shows the room that `current()` is, if it is one. `find(text)` makes an address of a name. */
export function roomsView(chat, current, find) {
  const { rooms, contacts } = chat;

  onSubmit(byId("room-new-form"), (filled) => {
    const topic = String(filled.get("topic")).trim();
    if (!topic) return;
    rooms.create(topic, filled.has("private"));
    byId("room-new-form").reset();
  });
  onSubmit(byId("room-join-form"), (filled) => {
    const room = String(filled.get("id")).trim();
    if (!room) return;
    rooms.join(room, String(filled.get("text")).trim());
    byId("room-join-form").reset();
  });
  onSubmit(byId("room-take-in-form"), (filled) => {
    const whom = String(filled.get("address")).trim();
    if (!whom) return;
    rooms.takeIn(current(), find(whom));
    byId("room-take-in-form").reset();
  });
  byId("room-look").addEventListener("click", () => rooms.look(current()));
  byId("room-leave").addEventListener("click", () => rooms.leave(current()));

  function applicant({ address }) {
    const actions = [
      ["Let in", () => rooms.takeIn(current(), address)],
      ["Refuse", () => rooms.refuse(current(), address)],
    ];
    return element("li", {}, element("span"), ...actions.map(([label, act]) => button(label, act)));
  }

  function showApplicant(item, { address, text }) {
    const [about, ...actions] = item.children;
    const name = contacts.name(address);
    setText(about, [`${name} asks to join`, text].filter((part) => part).join(": "));
    for (const each of actions) each.ariaLabel = `${each.textContent} ${name}`;
  }

  return function draw() {
    const room = current();
    const isRoom = rooms.has(room);
    byId("room-panel").hidden = !isRoom;
    if (!isRoom) return;
    setText(byId("room-address"), room);
    const asIs = (address) => address;
    follow(byId("room-members"), rooms.members(room), asIs, () => element("li", { dir: "auto" }), (item, address) => {
      setText(item, contacts.name(address));
      item.title = address;
    });
    follow(byId("room-applicants"), rooms.applicants(room), ({ address }) => address, applicant, showApplicant);
  };
}
