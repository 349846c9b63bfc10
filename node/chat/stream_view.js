// A live stream through a virtual room: whoever creates it pushes text and strokes, whoever has its id sees them at once.
// Nothing of it is stored.

import { byId, element, onSubmit, setText } from "./dom.js";
import { decodePoints, drawStroke, drawable, encodePoints } from "./drawing.js";
import { sentence } from "./errors.js";
import { Command, fromBase64, toBase64 } from "./wire.js";

const Operation = Object.freeze({ CREATE: 1, SUBSCRIBE: 5, UNSUBSCRIBE: 6 });
const Data = Object.freeze({ TEXT: 1, STROKE: 2 });
const LINES_MAX = 50;

export function streamView(session) {
  const canvas = byId("stream-canvas");
  const state = byId("stream-state");
  const address = byId("stream-subscribe").elements.room;
  let own = null;
  let watched = null;
  let strokes = 0;

  const ask = (rtype, node) => session.send(Command.VIRTUAL_ROOM, { rtype, ...(node && { node }) });

  function push(dtype, bytes) {
    if (!own) return;
    session.send(Command.STREAM, { id: 0, VNode: own, dtype, body: toBase64(bytes), fromNode: "" });
  }

  function line(who, text) {
    const lines = byId("stream-lines");
    lines.append(element("li", { dir: "auto", textContent: `${who}: ${text}` }));
    if (lines.children.length > LINES_MAX) lines.firstElementChild.remove();
  }

  function answered(ack) {
    if (!ack.ok) return setText(state, sentence(ack));
    if (ack.t === Operation.CREATE) {
      own = ack.n;
      byId("stream-push").hidden = false;
      setText(byId("stream-id"), own);
      setText(state, "Your stream is open. Give others its id; draw or write.");
    } else if (ack.t === Operation.SUBSCRIBE) {
      watched = ack.n;
      setText(state, "You are watching this stream.");
    }
  }

  function received({ VNode, dtype, body }) {
    if (VNode !== watched || !body) return;
    const bytes = fromBase64(body);
    if (dtype === Data.TEXT) return line("They", new TextDecoder().decode(bytes));
    const points = dtype === Data.STROKE ? decodePoints(bytes) : [];
    if (points.length === 0) return;
    drawStroke(canvas, points);
    strokes += 1;
    // All that can be told of a picture to who does not see it.
    canvas.ariaDescription = `strokes seen: ${strokes}`;
  }

  session.addEventListener("frame", ({ detail: { command, value } }) => {
    if (command === Command.STREAM) received(value);
    const concerns = command === Command.ACK && [Command.VIRTUAL_ROOM, Command.STREAM].includes(value.timType);
    if (concerns) answered(value);
  });
  // A subscription ends with its connection.
  session.addEventListener("state", ({ detail }) => {
    if (detail.state === "online" && watched) ask(Operation.SUBSCRIBE, watched);
  });

  byId("stream-create").addEventListener("click", () => ask(Operation.CREATE));
  onSubmit(byId("stream-subscribe"), () => {
    const room = address.value.trim();
    if (watched && watched !== room) ask(Operation.UNSUBSCRIBE, watched);
    if (room) ask(Operation.SUBSCRIBE, room);
  });
  onSubmit(byId("stream-push"), (filled) => {
    const text = String(filled.get("text"));
    if (!text) return;
    push(Data.TEXT, new TextEncoder().encode(text));
    line("You", text);
    byId("stream-push").reset();
  });
  drawable(canvas, (points) => push(Data.STROKE, encodePoints(points)));
}
