// Registration: one request over HTTP, before there is a connection.

import { sentence } from "./errors.js";
import { Command, clientFrame, serverFrame } from "./wire.js";

/** Makes an account; throws an error whose text is meant for people. */
export async function register(url, name, password) {
  let response;
  try {
    response = await fetch(url, { method: "POST", body: clientFrame(Command.REGISTER, { name, pwd: password }) });
  } catch {
    throw new Error("The server does not answer. Try again in a moment.");
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (!response.ok || bytes.length === 0) {
    throw new Error(`The server did not register the account (HTTP ${response.status}). Try again in a moment.`);
  }
  const { value: ack } = serverFrame(bytes);
  if (!ack.ok) throw new Error(sentence(ack));
}
