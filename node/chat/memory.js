// What the browser keeps between visits: the last name, and requests of friendship that wait for an answer, since the
// server tells of each only once. Never a password, never a message.

const LAST_NAME = "tim.name";
const requestsOf = (account) => `tim.requests.${account}`;

// Storage may be forbidden or full; the page works without.
function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Nothing but comfort is lost.
  }
}

export const lastName = () => String(read(LAST_NAME) ?? "");
export const keepName = (name) => write(LAST_NAME, name);

/** `[address, text]` of each request. */
export function keptRequests(account) {
  const kept = read(requestsOf(account));
  return Array.isArray(kept) ? kept.filter((entry) => Array.isArray(entry)) : [];
}

export const keepRequests = (account, requests) => write(requestsOf(account), requests);
