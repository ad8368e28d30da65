import { Command } from "../ui/command";

/** The first thing a new user sees: how to send something. */
export function Empty() {
  const base = new URL(".", document.baseURI).href.replace(/\/$/, "");
  const curl = `curl -d '{"counters":[{"name":"hello_total","labels":{"from":"me"},"add":1}]}' ${base}/api/v1/push`;
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
