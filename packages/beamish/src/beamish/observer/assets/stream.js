// Event streams, read with fetch: EventSource can send neither a token nor a POST request.

import { Lost, ask } from "./api.js";

// The observer sends a snapshot at least every 15 s.
const SILENCE_MS = 60_000;
const MAX_LINE_CHARACTERS = 8 * 2 ** 20;

/** Yield the events of a stream as `{event, data}`; ends when the observer ends it. */
export async function* follow(path, signal, options = {}) {
  const answer = await ask(path, signal, options);
  let event = "";
  for await (const line of lines(answer.body, signal)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") event = value;
    else if (field === "data") yield { event, data: JSON.parse(value) };
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
      if (rest.length > MAX_LINE_CHARACTERS) throw new Lost("the stream sent a line that is too long");
      yield* found;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function readWithTimeout(reader, signal) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Lost("the stream timed out")), SILENCE_MS);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    if (signal.aborted || error instanceof Lost) throw error;
    throw new Lost("the connection was lost");
  } finally {
    clearTimeout(timer);
  }
}
