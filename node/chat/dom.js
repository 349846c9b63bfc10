// The few things done with elements. Text goes in as text only: names and messages may hold anything.

export const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function button(label, act, properties = {}) {
  const made = element("button", { type: "button", textContent: label, ...properties });
  made.addEventListener("click", act);
  return made;
}

/** Writes only what is different: a screen reader reads again whatever is touched. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Makes the children of `list` follow `items`, reusing elements by key, so that focus and selection stay where they are.
 * `create(item)` makes an element, `update(element, item)` brings it up to date.
 */
export function follow(list, items, keyOf, create, update) {
  const wanted = new Set(items.map(keyOf));
  const present = new Map();
  for (const child of [...list.children]) {
    if (wanted.has(child.followKey)) present.set(child.followKey, child);
    else child.remove();
  }
  items.forEach((item, index) => {
    const key = keyOf(item);
    const child = present.get(key) ?? Object.assign(create(item), { followKey: key });
    // Moving an element takes the focus from it, so nothing is moved that is in place.
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
    update(child, item);
  });
}

/** Tells a screen reader, and whoever looks. */
export function announce(text) {
  byId("announcements").textContent = text;
}

export function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(new FormData(form));
  });
}
