// Puts the page together: one login at a time, its model, its views.

import { register } from "./account.js";
import { Chat } from "./chat.js";
import { contactsView } from "./contacts_view.js";
import { conversationView } from "./conversation_view.js";
import { announce, byId, onSubmit, setText } from "./dom.js";
import { loginView } from "./login_view.js";
import { finder } from "./names.js";
import { roomsView } from "./rooms_view.js";
import { Session } from "./session.js";
import { streamView } from "./stream_view.js";

// Relative to the page, so that it also works below a path of a proxy.
const here = new URL("./", location.href);
const registration = new URL("tim2", here);
const socket = Object.assign(new URL("tim", here), { protocol: location.protocol === "https:" ? "wss:" : "ws:" });
const TITLE = document.title;
// `/chat#add=ADDRESS`: a link that people give others.
const INVITATION = "#add=";

const login = loginView(enter);
// What a login put on the page goes with it, listeners included: the part is put back as it was delivered.
const pristine = byId("main").cloneNode(true);

async function enter(name, password, isNew) {
  if (isNew) await register(registration, name, password);
  const session = new Session(socket, name, password);
  const chat = new Chat(session, isNew ? name : null);
  await firstLogin(session);
  login.hide();
  showChat(session, chat, name);
}

/** Resolves at the first login; an end before it is an error for the form. */
function firstLogin(session) {
  return new Promise((resolve, reject) => {
    session.addEventListener("state", ({ detail: { state, text } }) => {
      setText(byId("connection"), text);
      if (state === "online") resolve();
      if (state === "ended") reject(new Error(text));
    });
    session.start();
  });
}

function showChat(session, chat, name) {
  const main = byId("main");
  main.replaceWith(pristine.cloneNode(true));
  byId("main").hidden = false;
  const conversation = conversationView(chat);
  const find = finderOfPeople(name, session.me);
  const drawContacts = contactsView(chat, open, () => conversation.address, find);
  const drawRoom = roomsView(chat, () => conversation.address, find);
  streamView(session);
  showMe(session, chat, name);

  function open(address) {
    chat.contacts.at(address).unread = 0;
    conversation.open(address);
    draw();
  }

  function draw() {
    drawContacts();
    conversation.draw();
    drawRoom();
    const unread = chat.contacts.all.reduce((sum, contact) => sum + contact.unread, 0);
    document.title = unread ? `(${unread}) ${TITLE}` : TITLE;
  }

  chat.addEventListener("changed", draw);
  chat.addEventListener("notice", ({ detail: { text } }) => announce(text));
  chat.addEventListener("arrived", ({ detail: { address, message } }) => {
    if (address !== conversation.address || document.hidden) chat.contacts.at(address).unread += 1;
    announce(`${chat.contacts.name(address)}: ${message.text}`);
  });
  session.addEventListener("state", ({ detail: { state, text } }) => state === "ended" && leave(text));
  const hurry = () => session.hurry();
  addEventListener("online", hurry);
  session.addEventListener("state", ({ detail }) => detail.state === "ended" && removeEventListener("online", hurry));
  // Coming back to the page is reading.
  document.onvisibilitychange = () => {
    if (document.hidden || !conversation.address) return;
    chat.contacts.at(conversation.address).unread = 0;
    draw();
  };
  draw();
}

/** From what is written in a form to an address; the forms say whether names can be written. */
function finderOfPeople(name, me) {
  const find = finder(name, me);
  if (find) return find;
  for (const label of document.querySelectorAll(".whom")) setText(label, "Address of somebody");
  return (address) => address;
}

function showMe(session, chat, name) {
  setText(byId("my-name"), name);
  setText(byId("my-address"), session.me);
  const invitation = new URL(INVITATION + encodeURIComponent(session.me), location.href);
  byId("my-invitation").href = invitation;
  const { address } = byId("add-form").elements;
  if (location.hash.startsWith(INVITATION)) address.value = decodeURIComponent(location.hash.slice(INVITATION.length));
  onSubmit(byId("status-form"), (filled) => {
    chat.setStatus(String(filled.get("status")).trim());
    announce("Your friends see your status.");
  });
  byId("log-out").addEventListener("click", () => session.end());
  address.focus();
}

function leave(reason) {
  byId("main").hidden = true;
  document.title = TITLE;
  document.onvisibilitychange = null;
  login.show(reason);
}

byId("not-started").remove();
login.show();
