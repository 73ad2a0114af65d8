// The event stream, read with fetch: EventSource can send a token only in the URL.

import { Lost, Refused, ask } from "./api.js";
import { sleep } from "./waiting.js";

// The service sends an event or a heartbeat at least every 15 s.
const SILENCE_MS = 60_000;
const MAX_LINE_CHARACTERS = 4 * 2 ** 20;
// After a longer gap, the page reloads its data instead of reading all missed events.
const MAX_GAP_MS = 10 * 60_000;

let lastId = null;
let heardAt = 0;

/** Call `onEvent` for each event; ends only with an error, and resumes after the last event.
 *  `onRoom` is called with whether the service accepts the stream. */
export async function follow(signal, onEvent, onRoom) {
  if (Date.now() - heardAt > MAX_GAP_MS) lastId = null;
  const answer = await opened(signal, onRoom);
  onRoom(true);
  for await (const { id, data } of events(answer.body)) {
    heardAt = Date.now();
    if (id === null) continue;
    lastId = id;
    if (data) onEvent(JSON.parse(data));
  }
  throw new Lost("the event stream ended");
}

// If the service has too many streams, the page keeps polling and tries again later.
async function opened(signal, onRoom) {
  for (;;) {
    const headers = lastId === null ? {} : { "Last-Event-ID": lastId };
    try {
      return await ask("v1/stream", signal, headers);
    } catch (error) {
      if (error.kind === "too-many-streams") onRoom(false);
      else throw error instanceof Refused && error.status === 422 ? forgotten(error) : error;
      await sleep(Math.max(10_000, error.retryAfterMs), signal);
    }
  }
}

function forgotten(error) {
  lastId = null;
  return error;
}

/**
 * Yield server-sent events; a comment becomes an event without id, and the start of the stream an
 * event without data.
 *
 * Source: the HTML standard, "Server-sent events".
 */
async function* events(body) {
  let event = { id: null, data: "" };
  for await (const line of lines(body)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (line === "") {
      if (event.data || event.id !== null) yield event;
      event = { id: null, data: "" };
    } else if (field === "") yield { id: null, data: "" };
    else if (field === "id") event.id = value;
    else if (field === "data") event.data += value;
  }
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await readWithTimeout(reader);
      if (done) return;
      const found = (rest + value).split("\n");
      rest = found.pop();
      if (rest.length > MAX_LINE_CHARACTERS) throw new Lost("the event stream sent a line that is too long");
      yield* found;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function readWithTimeout(reader) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Lost("the event stream timed out")), SILENCE_MS);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    throw error.name === "AbortError" || error instanceof Lost ? error : new Lost("the event stream broke");
  } finally {
    clearTimeout(timer);
  }
}
