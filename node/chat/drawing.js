// A surface to draw on, with pointer or arrow keys, and the form in which strokes travel: pairs of 16-bit numbers, fractions of
// width and height, so that surfaces of different sizes show the same.

const SCALE = 0xffff;
const KEY_STEP = SCALE / 40;
// Points are sent together: one frame for every movement would be hundreds a second.
const SEND_EVERY_MS = 80;
const LINE_WIDTH = 3;

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function encodePoints(points) {
  const view = new DataView(new ArrayBuffer(points.length * 4));
  points.forEach(([x, y], index) => {
    view.setUint16(index * 4, x);
    view.setUint16(index * 4 + 2, y);
  });
  return new Uint8Array(view.buffer);
}

export function decodePoints(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.floor(bytes.byteLength / 4);
  return Array.from({ length: count }, (_, index) => [view.getUint16(index * 4), view.getUint16(index * 4 + 2)]);
}

export function drawStroke(canvas, points) {
  const context = canvas.getContext("2d");
  const places = points.map(([x, y]) => [(x / SCALE) * canvas.width, (y / SCALE) * canvas.height]);
  // The text colour of the surface, which follows the theme.
  context.strokeStyle = getComputedStyle(canvas).color;
  context.lineWidth = LINE_WIDTH;
  context.lineCap = "round";
  context.beginPath();
  context.moveTo(...places[0]);
  places.forEach((place) => context.lineTo(...place));
  context.stroke();
}

const within = (value) => Math.max(0, Math.min(SCALE, Math.round(value)));

/** Draws what a person draws on `canvas`, and hands strokes to `send`, a few times a second. */
export function drawable(canvas, send) {
  let points = [];
  let pen = [SCALE / 2, SCALE / 2];
  let timer = null;

  function flush() {
    timer = null;
    if (points.length > 1) send(points);
    // The next piece begins where this one ends.
    points = points.slice(-1);
  }

  function lineTo(place) {
    drawStroke(canvas, [points.at(-1) ?? place, place]);
    points.push(place);
    pen = place;
    timer ??= setTimeout(flush, SEND_EVERY_MS);
  }

  function begin(place) {
    points = [place];
  }

  const placeOf = ({ offsetX, offsetY }) => [
    within((offsetX / canvas.clientWidth) * SCALE),
    within((offsetY / canvas.clientHeight) * SCALE),
  ];

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    begin(placeOf(event));
  });
  canvas.addEventListener("pointermove", (event) => canvas.hasPointerCapture(event.pointerId) && lineTo(placeOf(event)));
  canvas.addEventListener("pointerup", () => {
    clearTimeout(timer);
    flush();
    points = [];
  });
  canvas.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    if (points.length === 0) begin(pen);
    lineTo([within(pen[0] + step[0] * KEY_STEP), within(pen[1] + step[1] * KEY_STEP)]);
  });
}
