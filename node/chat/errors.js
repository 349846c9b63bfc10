// Error codes as sentences: what happened and what to do about it; the server's own words follow as details.

import { Command } from "./wire.js";

export const Code = Object.freeze({
  HAS_EXIST: 4101,
  PERMISSION_DENIED: 4105,
  OVER_ENTRY: 4111,
  DATABASE: 5103,
  OVERLOAD: 5104,
});

const SENTENCES = new Map([
  [4101, "That exists already."],
  [4102, "Name or password is wrong."],
  [4104, "The server could not make sense of the request."],
  [4105, "That is not allowed."],
  [4106, "There is no account with this name or address."],
  [4107, "The operator of this server has switched this off."],
  [4108, "This room has ended."],
  [4109, "There is no such room, or nobody asked."],
  [4110, "You are blocked there."],
  [4111, "This account logged in elsewhere a moment ago; wait a little and try again."],
  [4117, "You are friends already."],
  [5101, "There is no such stream, or it has ended."],
  [5102, "That is being done already; wait a moment."],
  [5103, "The database does not answer at the moment; try again in a while."],
  [5104, "The server takes no more at the moment; wait a little and try again."],
]);

// Where a code means something more exact.
const IN_CONTEXT = new Map([
  [`${Command.REGISTER} 4101`, "This name is taken: log in, or choose another one."],
  [`${Command.AUTH} 4105`, "Name or password is wrong, or the account is blocked."],
  [`${Command.MESSAGE} 4105`, "The message was not sent: you two are not friends, or you are not in this room."],
  [`${Command.BUSINESS} 4105`, "That is not allowed; your own address cannot be added either."],
  [`${Command.REVOKE} 4104`, "There is no such message any more."],
  [`${Command.BURN} 4104`, "There is no such message any more."],
  [`${Command.STREAM} 4105`, "You may not push into this stream, or it has ended."],
  [`${Command.VIRTUAL_ROOM} 4104`, "This is not the id of a stream."],
]);

/** The sentence for a refusing ack, with code and details. */
export function sentence(ack) {
  const { code, info } = ack.error ?? {};
  const known = IN_CONTEXT.get(`${ack.timType} ${code}`) ?? SENTENCES.get(code);
  const details = [code, info].filter((part) => part).join(": ");
  return `${known ?? "The server refused that."} (${details || "without a reason"})`;
}
