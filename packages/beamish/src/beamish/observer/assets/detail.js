// The drawer with everything about one process: the parameter `info` names it.

import { confirmed } from "./confirm.js";
import { crashList } from "./crashes.js";
import { byId, bytes, count, el, fill, moment, renderer, setText, span } from "./dom.js";
import { facts } from "./parts.js";
import { pidLink, pidText, related, restarts, statusBadge } from "./pids.js";
import { json, post } from "./requests.js";
import { change, current } from "./route.js";
import { follow } from "./sse.js";
import { table } from "./table.js";

const ACTIONS = {
  kill: ["Kill", "The process ends at once and cannot clean up. Its supervisor restarts it as its specification says, which counts as one restart."],
  stop: ["Stop", "The process cleans up and exits with the reason shutdown. A permanent child is restarted."],
  restart: ["Restart", "Its supervisor stops the process and starts it again. This does not count as one of its restarts."],
  suspend: ["Suspend", "The server handles no messages until it is resumed; they queue."],
  resume: ["Resume", "The server handles messages again."],
};
const MAX_TRACED = 1_000;

/** The view and parameters of the drawer, or `null` if it is closed. */
export function wanted() {
  const pid = current().params.get("info");
  return pid === null ? null : { view: "process", query: { pid } };
}

/** Open the drawer for a process; return what shows a snapshot and what says that it has exited. */
export function open(pid, session, signal) {
  const dialog = byId("detail");
  const body = byId("detail-body");
  setText(byId("detail-title"), /^\d+$/.test(pid) ? pidText(pid) : pid);
  const message = el("p", { role: "status", class: "alarm", hidden: "" });
  const parts = Object.fromEntries(["head", "place", "supervisor", "relations", "crashes", "messages"].map((name) => [name, el("div")]));
  const actions = el("div", { class: "line actions" });
  fill(body, message, parts.head, session.actions ? actions : null, parts.place, stateSection(pid, signal), session.actions ? traceSection(pid, signal) : null, parts.supervisor, parts.relations, parts.crashes, parts.messages);
  const say = (text, tone) => {
    message.hidden = false;
    message.dataset.tone = tone;
    setText(message, text);
  };
  const show = sections(parts, actions, say);
  if (!dialog.open) dialog.showModal();
  return {
    show,
    gone: (error) => say(`${error}.`, "bad"),
  };
}

/** Close the drawer. */
export function close() {
  if (byId("detail").open) byId("detail").close();
}

byId("detail").addEventListener("close", () => change({ info: null }, true));

function sections(parts, actions, say) {
  const list = el("ul", { class: "crashes" });
  const crashHeading = el("h3", { hidden: "" }, "Crashes");
  fill(parts.crashes, crashHeading, list);
  const crashes = crashList(list);
  const renderers = {
    head: renderer(parts.head, head),
    place: renderer(parts.place, place),
    supervisor: renderer(parts.supervisor, supervisor),
    relations: renderer(parts.relations, relations),
    messages: renderer(parts.messages, messages),
  };
  const buttons = renderer(actions, ([pid, isServer, status]) => actionButtons(pid, isServer, status, say));
  return (found) => {
    setText(byId("detail-title"), `${found.name || found.class_name} ${pidText(found.pid)}`);
    renderers.head(headFacts(found));
    renderers.place([found.callback, found.waiting]);
    renderers.supervisor([found.supervisor, found.children]);
    renderers.relations([found.links, found.monitors, found.monitored_by, found.ancestors]);
    renderers.messages([found.queue, found.messages]);
    buttons([found.pid, found.is_server, found.status]);
    crashHeading.hidden = found.crashes.length === 0;
    crashes(found.crashes);
  };
}

// -- Facts

const headFacts = (found) => {
  const { status, class_name, names, label, started_at, handled, queue, memory_bytes, trap_exit, parent, restarts: many } = found;
  return { status, class_name, names, label, started_at, handled, queue, memory_bytes, trap_exit, parent, many };
};

function head(found) {
  return facts([
    ["Status", statusBadge(found.status)],
    ["Class", found.class_name],
    ["Names", found.names.length ? found.names.join(", ") : null],
    ["Label", found.label],
    ["Started", el("span", {}, moment(found.started_at), ` (${span(Date.now() / 1_000 - found.started_at)})`)],
    ["Restarts", `${count(found.many)} since the observer began`],
    ["Handled", `${count(found.handled)} messages`],
    ["Queued", `${count(found.queue)} messages`],
    ["Memory", `${bytes(found.memory_bytes)}, without objects that its state refers to`],
    ["Traps exits", found.trap_exit ? "yes" : "no"],
    ["Parent", found.parent === null ? null : el("ul", {}, related(found.parent))],
  ]);
}

function place([callback, waiting]) {
  if (callback === null && !waiting.length) return el("p", { class: "quiet" }, "No callback is running.");
  return [
    el("h3", {}, callback === null ? "Waits in" : `Runs ${callback}`),
    waiting.length ? el("ol", { class: "frames" }, waiting.map((line) => el("li", {}, el("code", {}, line)))) : null,
  ];
}

function relations([links, monitors, monitoredBy, ancestors]) {
  return [["Links", links], ["Monitors", monitors], ["Monitored by", monitoredBy], ["Ancestors", ancestors]].map(([title, found]) =>
    found.total === 0 ? null : el("section", {}, el("h3", {}, `${title} (${count(found.total)})`),
      el("ul", {}, found.first.map(related), found.total > found.first.length ? el("li", { class: "quiet" }, `+ ${count(found.total - found.first.length)} more`) : null)));
}

function messages([queue, kinds]) {
  if (!kinds.length) return null;
  return el("section", {}, el("h3", {}, "Queued messages"),
    el("ol", {}, kinds.map((kind) => el("li", {}, el("code", {}, kind))), queue > kinds.length ? el("li", { class: "quiet" }, `+ ${count(queue - kinds.length)} more`) : null),
    el("p", { class: "quiet" }, "Kinds only: the contents can hold secrets."));
}

function supervisor([found, children]) {
  if (found === null) return null;
  const rows = table({
    caption: "Children",
    key: (row) => `${row.id} ${row.pid}`,
    empty: "It has no children.",
    columns: [
      { title: "Id", class: "main", cell: (row) => row.id },
      { title: "Process", cell: (row) => (row.pid === null ? "–" : pidLink(row.pid)) },
      { title: "Status", cell: (row) => statusBadge(row.status) },
      { title: "Restart", wide: true, cell: (row) => row.restart },
      { title: "Shutdown", wide: true, cell: (row) => (row.shutdown === "None" ? "no limit" : /^[\d.]+$/.test(row.shutdown) ? `${row.shutdown} s` : row.shutdown.replaceAll("'", "")) },
    ],
  });
  rows.show(children);
  return el("section", {}, el("h3", {}, "Supervisor"),
    facts([
      ["Strategy", found.strategy],
      ["Restarts used", restarts(found.restarts)],
      ["Counted for", found.intensity === "child" ? "each child; the one with most is shown" : "all children"],
      ["Children", `${count(found.children)}, of which ${count(found.restarting)} are restarting`],
    ]), rows.element);
}

// -- State and trace

function stateSection(pid, signal) {
  const shown = el("div");
  const read = async () => {
    try {
      const found = await json(`api/state?pid=${encodeURIComponent(pid)}`, signal);
      const more = found.left_out ? el("p", { class: "quiet" }, `+ ${count(found.left_out)} more`) : null;
      fill(shown, found.attributes.length ? facts(found.attributes.map(([name, value]) => [name, el("code", {}, value)])) : el("p", { class: "quiet" }, "It has no attributes."), more);
    } catch (error) {
      if (!signal.aborted) fill(shown, el("p", { class: "alarm", "data-tone": "warn" }, error.message));
    }
  };
  return el("section", {}, el("div", { class: "line" }, el("h3", {}, "State"), el("button", { type: "button", id: "read-state", click: read }, "Read")), shown);
}

function traceSection(pid, signal) {
  const lines = el("ol", { class: "traced", "aria-label": "Traced events", tabindex: "0" });
  const status = el("p", { class: "quiet", role: "status" });
  const button = el("button", { type: "button", id: "trace", click: () => start() }, "Trace for 60 s");
  let running = null;

  async function start() {
    if (running) return running.abort();
    if (!(await sure("Trace", pid, "Each message that the server handles is shown, with its contents. Calls to it take longer meanwhile."))) return;
    running = new AbortController();
    setText(button, "Stop tracing");
    setText(status, "Tracing…");
    fill(lines);
    try {
      await read(AbortSignal.any([signal, running.signal]));
    } catch (error) {
      if (!running.signal.aborted && !signal.aborted) setText(status, error.message);
      else setText(status, "Stopped");
    }
    running = null;
    setText(button, "Trace for 60 s");
  }

  async function read(until) {
    const options = { method: "POST", headers: { "X-Beamish-Action": "trace" } };
    for await (const { event, data } of follow(`api/process/${encodeURIComponent(pid)}/trace`, until, options)) {
      if (event === "end") setText(status, `Ended: ${JSON.parse(data).reason}`);
      else if (event === "bye") setText(status, "Ended: the program stops");
      else if (event && lines.children.length < MAX_TRACED) lines.append(el("li", {}, el("code", {}, JSON.parse(data).text)));
    }
  }

  return el("section", {}, el("div", { class: "line" }, el("h3", {}, "Trace"), button), status, lines);
}

// -- Actions

function actionButtons(pid, isServer, status, say) {
  const fitting = Object.keys(ACTIONS).filter((name) => isServer || !["restart", "suspend", "resume"].includes(name));
  return fitting
    .filter((name) => name !== (status === "suspended" ? "suspend" : "resume"))
    .map((name) => el("button", { type: "button", "data-action": name, click: () => perform(name, pid, say) }, ACTIONS[name][0]));
}

async function perform(name, pid, say) {
  const [title, text] = ACTIONS[name];
  if (!(await sure(title, pid, text))) return;
  try {
    const { result } = await post(`api/process/${pid}/${name}`, undefined, { "X-Beamish-Action": name });
    say(`${pidText(pid)}: ${result}`, "good");
  } catch (error) {
    say(error.message, "bad");
  }
}

const sure = (title, pid, text) => confirmed(`${title} ${/^\d+$/.test(pid) ? pidText(pid) : pid}?`, text, title, title === "Resume");
