// The events of transactions, resumed after the last one that was received.

import { Lost, Refused, ask } from "./requests.js";
import { events } from "./sse.js";
import { sleep } from "./waiting.js";

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
  for await (const { id, data } of events(answer, signal)) {
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
      return await ask("v1/stream", signal, { headers });
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
