// A chat client: registers, logs in, becomes friends, sends, receives, and comes back after a break. Node 22, or 20 with
// --experimental-websocket.   node client.mjs ws://127.0.0.1:5080/tim,ws://… NAME PASSWORD [FRIEND'S-ADDRESS MESSAGES]
const [ACK, PING, REGISTER, LOGIN, OFFLINE, LOGGED_OUT, REQUEST, MESSAGE] = [12, 13, 14, 16, 17, 20, 41, 90];
const [ADD_FRIEND, FRIENDS, EXISTS, FRIENDS_ALREADY] = [4, 5, 4101, 4117];
const [urls, name, pwd, friend, messages = "10"] = process.argv.slice(2);
const servers = urls.split(",");
const firstId = Date.now() * 1000; // below 2^53, and another one in each run
const seen = new Map(); // the last number taken from each sender
let me, socket, attempt = 0, current = 0, heard = Date.now();

// The command, with bit 7 for JSON, and the value.
const frame = (command, value) =>
  Buffer.concat([Buffer.from([command | 0x80]), Buffer.from(value ? JSON.stringify(value) : "")]);
const send = (command, value) => socket.readyState === WebSocket.OPEN && socket.send(frame(command, value));
const end = (text, code) => (console.log(text), process.exit(code));

function sendCurrent() { // under the same id again after a break: it is stored once
  console.log(`sent ${current}`);
  send(MESSAGE, { msType: 2, odType: 1, id: firstId + current, toTid: { node: friend }, dataString: `message ${current}` });
}
function next() {
  if (++current > Number(messages)) end(`done: ${messages} stored`, 0);
  sendCurrent();
}
function message(value) {
  const from = value.fromTid?.node;
  if (value.bnType === ADD_FRIEND) send(REQUEST, { rtype: ADD_FRIEND, node: from, reqStr: "hello" });
  if (value.bnType === FRIENDS && from === friend && current === 0) next();
  if (value.odType !== 1) return;
  if (from === me) { // our own, with its number: it is durable
    if (value.id !== firstId + current) return;
    console.log(`stored ${current} as ${value.mid}`);
    next();
  } else if (value.mid > (seen.get(from) ?? 0)) { // one that comes again after a break has the same number
    seen.set(from, value.mid);
    console.log(`received ${value.mid} from ${from}: ${value.dataString}`);
  }
}
function ack(value) {
  const { ok, timType, error } = value;
  if (timType === LOGGED_OUT) end("another device has logged in", 1);
  if (timType === LOGIN && !ok) return me ? socket.close() : end(`login refused: ${error.code} ${error.info}`, 1);
  if (timType !== LOGIN) return error?.code === FRIENDS_ALREADY && current === 0 ? next() : ok || console.log("refused", error);
  [me, attempt] = [value.n, 0];
  console.log(`online as ${me}`);
  send(OFFLINE); // what came meanwhile
  if (friend) current ? sendCurrent() : send(REQUEST, { rtype: ADD_FRIEND, node: friend, reqStr: "hello" });
}
function received(bytes) {
  heard = Date.now();
  const [command, synchronised] = [bytes[0] & 0x7f, bytes[0] & 0x80];
  const payload = bytes.subarray(synchronised ? 5 : 1);
  const value = payload.length ? JSON.parse(payload) : {};
  if (command === ACK) ack(value);
  if (command === MESSAGE) message(value);
  if (command === OFFLINE) value.messageList.forEach(message);
  if (synchronised) socket.send(Buffer.concat([Buffer.from([ACK | 0x80]), bytes.subarray(1, 5)])); // taken: not sent again
}
function connect() {
  socket = new WebSocket(servers[attempt % servers.length]);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => send(LOGIN, { name, pwd, termtyp: 2 });
  socket.onmessage = (event) => received(Buffer.from(event.data));
  socket.onclose = () => setTimeout(connect, Math.random() * Math.min(100 * 2 ** attempt++, 5000));
}
setInterval(() => (Date.now() - heard > 45_000 ? socket.close() : send(PING)), 15_000);
const registration = { method: "POST", body: frame(REGISTER, { name, pwd }) };
const answer = Buffer.from(await (await fetch(servers[0].replace(/^ws/, "http").replace(/\/tim$/, "/tim2"), registration)).arrayBuffer());
const registered = JSON.parse(answer.subarray(1));
if (!registered.ok && registered.error.code !== EXISTS) end(`not registered: ${registered.error.info}`, 1);
connect();
