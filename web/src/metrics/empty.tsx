import { backend } from "../api/backend";
import { place } from "../api/place";
import { server } from "../api/server";
import { shownText } from "../format/text";
import { Command } from "../ui/command";

/** The first thing a new user sees: how to send something, if it is here that things are sent. */
export function Empty() {
  if (server.value.known && !server.value.has.push) return <Elsewhere />;
  const curl = `curl -d '{"counters":[{"name":"hello_total","labels":{"from":"me"},"add":1}]}' ${place().root}api/v1/push`;
  return (
    <section class="empty" aria-labelledby="empty-title">
      <h1 id="empty-title">Nothing has arrived yet</h1>
      <p>Send a first count from a terminal. Nothing to install or to declare beforehand:</p>
      <Command text={curl} />
      <p>or, with narthex on the path:</p>
      <Command text="narthex push hello_total+=1" />
      <p class="waiting" role="status">
        <span class="pulse" aria-hidden="true" />
        Watching. The metric shows up here by itself, within a tick of its arrival.
      </p>
    </section>
  );
}

function Elsewhere() {
  return (
    <section class="empty" aria-labelledby="empty-title">
      <h1 id="empty-title">{backend.value.name === "" ? "This Prometheus API" : shownText(backend.value.name)} has no metric with a sample in the last day</h1>
      <p>This page shows what is stored there and takes no pushes itself. What arrives shows up here.</p>
      <p class="waiting" role="status">
        <span class="pulse" aria-hidden="true" />
        Watching.
      </p>
    </section>
  );
}
