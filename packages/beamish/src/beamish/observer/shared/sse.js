// Event streams, read with fetch: EventSource can send neither a token nor a POST request.

import { Lost, ask } from "./requests.js";

// A service sends an event or a comment at least every 15 s.
const SILENCE_MS = 60_000;
const MAX_LINE_CHARACTERS = 8 * 2 ** 20;

/**
 * Yield the events of a stream as `{id, event, data}`, with the data as text; ends when the service
 * ends it. A comment is an event without id and data, and an id alone an event without data.
 *
 * Source: the HTML standard, "Server-sent events".
 */
export async function* follow(path, signal, options = {}) {
  yield* events(await ask(path, signal, options), signal);
}

/** Yield the events of an open response. */
export async function* events(answer, signal) {
  let event = { id: null, event: "", data: "" };
  for await (const line of lines(answer.body, signal)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (line === "") {
      if (event.data || event.id !== null) yield event;
      event = { id: null, event: "", data: "" };
    } else if (field === "") yield { id: null, event: "", data: "" };
    else if (field in event) event[field] = field === "data" ? event.data + value : value;
  }
}

async function* lines(body, signal) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await readWithTimeout(reader, signal);
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

async function readWithTimeout(reader, signal) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Lost("the event stream timed out")), SILENCE_MS);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    throw signal.aborted || error instanceof Lost ? error : new Lost("the event stream broke");
  } finally {
    clearTimeout(timer);
  }
}
