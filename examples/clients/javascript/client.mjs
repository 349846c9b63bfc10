// A chat client: registers, logs in, becomes friends, sends, receives, and comes back after a break. Once: npm ci
//   node client.mjs ws://127.0.0.1:5080/tim,ws://… NAME PASSWORD [FRIEND'S-ADDRESS MESSAGES]
import WebSocket from "ws";
const [ACK, PING, REGISTER, LOGIN, OFFLINE, LOGGED_OUT, REQUEST, MESSAGE] = [12, 13, 14, 16, 17, 20, 41, 90];
const [ADD_FRIEND, FRIENDS, FRIENDS_ALREADY] = [4, 5, 4117];
const [urls, name, pwd, friend, messages = "10"] = process.argv.slice(2);
const servers = urls.split(",");
const [firstId, seen] = [Date.now() * 1000, new Map()]; // ids of each run, below 2^53; the last number of each sender
let me, socket, attempt = 0, current = 1, heard = Date.now();
// The command, with bit 7 for JSON, and the value.
const frame = (command, value) =>
  Buffer.concat([Buffer.from([command | 0x80]), Buffer.from(value ? JSON.stringify(value) : "")]);
const send = (command, value) => socket.readyState === WebSocket.OPEN && socket.send(frame(command, value));
const befriend = (node) => send(REQUEST, { rtype: ADD_FRIEND, node, reqStr: "hello" });

function sendMessage() { // under the same id again after a break: it is stored once
  console.log(`sent ${current}`);
  send(MESSAGE, { msType: 2, odType: 1, id: firstId + current, toTid: { node: friend }, dataString: `message ${current}` });
}
function onMessage({ bnType, odType, id, mid, fromTid, dataString }) {
  const from = fromTid?.node;
  if (bnType === ADD_FRIEND) befriend(from);
  if (bnType === FRIENDS && from === friend) sendMessage();
  if (odType === 1 && id === firstId + current) { // our own, with its number: it is durable
    console.log(`stored ${current} as ${mid}`);
    current += 1;
    if (current <= Number(messages)) return sendMessage();
    console.log(`done: ${messages} stored`);
    process.exit();
  } else if (odType === 1 && from !== me && mid > (seen.get(from) ?? 0)) {
    seen.set(from, mid); // one that comes again after a break has the same number
    console.log(`received ${mid} from ${from}: ${dataString}`);
  }
}
function onAck({ ok, timType, n, error }) {
  if (timType === LOGGED_OUT || (timType === LOGIN && !ok && !me)) throw new Error(`logged out: ${error?.info}`);
  if (error?.code === FRIENDS_ALREADY && friend) sendMessage();
  if (timType !== LOGIN) return;
  if (!ok) return socket.close(); // our session of before is still counted
  [me, attempt] = [n, 0];
  console.log(`online as ${me}`);
  send(OFFLINE); // what came meanwhile
  if (friend) befriend(friend);
}
function onFrame(bytes) {
  heard = Date.now();
  const [command, start] = [bytes[0] & 0x7f, bytes[0] & 0x80 ? 5 : 1];
  const value = JSON.parse(bytes.subarray(start).toString() || "{}");
  if (command === ACK) onAck(value);
  for (const message of value.messageList ?? (command === MESSAGE ? [value] : [])) onMessage(message);
  if (start === 5) socket.send(Buffer.concat([Buffer.from([ACK | 0x80]), bytes.subarray(1, 5)])); // taken: not sent again
}
function connect() {
  socket = new WebSocket(servers[attempt % servers.length], { handshakeTimeout: 5000 }).on("error", () => {});
  socket.on("open", () => send(LOGIN, { name, pwd, termtyp: 2 })).on("message", onFrame);
  socket.on("close", () => setTimeout(connect, Math.random() * Math.min(100 * 2 ** attempt++, 5000)));
}
setInterval(() => (Date.now() - heard > 45_000 ? socket.terminate() : send(PING)), 15_000);
await fetch(`${servers[0].replace("ws", "http")}2`, { method: "POST", body: frame(REGISTER, { name, pwd }) }); // or exists
connect();
