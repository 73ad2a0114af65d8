// The event stream, read with fetch: EventSource could send no token but in the URL.

import { Lost, Refused, ask } from "./api.js";
import { sleep } from "./waiting.js";

// The service says something every 15 s, if only that it is still there.
const SILENCE_MS = 60_000;
const LONGEST_LINE = 4 * 2 ** 20;
// Away for longer, the pages are read anew instead of all that happened meanwhile.
const LONGEST_GAP_MS = 10 * 60_000;

let lastId = null;
let heardAt = 0;

/** Hand over events as they come; ends only by an error, and goes on from the last one then.
 *  `onRoom` hears whether there is room for a stream. */
export async function follow(signal, onEvent, onRoom) {
  if (Date.now() - heardAt > LONGEST_GAP_MS) lastId = null;
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

// Without a stream the page still reads on: there is only so much room for them.
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
 * Read server-sent events; a comment comes as an event without id, and the place where the stream
 * begins as one without data.
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
      const { done, value } = await patiently(reader);
      if (done) return;
      const found = (rest + value).split("\n");
      rest = found.pop();
      if (rest.length > LONGEST_LINE) throw new Lost("the event stream sends no events");
      yield* found;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function patiently(reader) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Lost("the event stream fell silent")), SILENCE_MS);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    throw error.name === "AbortError" || error instanceof Lost ? error : new Lost("the event stream broke");
  } finally {
    clearTimeout(timer);
  }
}
