import { useEffect } from "preact/hooks";
import { addressOf, askBackend, backend } from "./api/backend";
import { place } from "./api/place";
import { askServer, server } from "./api/server";
import { record, text } from "./api/read";
import { signedOut } from "./api/client";
import { shownText } from "./format/text";
import { globalKeys } from "./keys";
import { MetricsScreen } from "./metrics/screen";
import { formatRoute, route, type Route, type Screen } from "./router";
import { Help } from "./ui/help";
import { lazy } from "./ui/lazy";
import { Settings } from "./ui/settings";

const MetricScreen = lazy<{ route: Route }>(() => import("./metric/screen").then((m) => m.MetricScreen));

const QueryScreen = lazy<{ route: Route }>(() => import("./query/screen").then((m) => m.QueryScreen));
const ArrivalsScreen = lazy<{ route: Route }>(() => import("./arrivals/screen").then((m) => m.ArrivalsScreen));
const ProbesScreen = lazy<{ route: Route }>(() => import("./probes/screen").then((m) => m.ProbesScreen));

const screens: readonly { screen: Screen; title: string; hash: string }[] = [
  { screen: "metrics", title: "Metrics", hash: "#/" },
  { screen: "query", title: "Query", hash: "#/query" },
  { screen: "probes", title: "Probes", hash: "#/probes" },
  { screen: "arrivals", title: "Arrivals", hash: "#/arrivals" },
];

/** The frame and the screen that the address names. */
export function App() {
  useEffect(() => {
    const abort = new AbortController();
    void askServer(abort.signal);
    void askBackend();
    document.addEventListener("keydown", globalKeys);
    // Whoever looks at the list will look at a metric: its code comes meanwhile.
    const t = setTimeout(() => signedOut.peek() === "" && MetricScreen.prefetch(), 1500);
    return () => {
      abort.abort();
      clearTimeout(t);
      document.removeEventListener("keydown", globalKeys);
    };
  }, []);
  const r = route.value;
  return (
    <>
      <a class="skip" href="#content" onClick={toContent}>
        Skip to the content
      </a>
      <header class="bar">
        <a class="brand" href="#/">
          <Mark />
          narthex
        </a>
        <nav aria-label="Screens">
          {screens.filter((s) => s.screen !== "arrivals" || !server.value.known || server.value.has.push).map((s) => (
            <a key={s.screen} href={s.hash} aria-current={isAt(r, s.screen) ? (r.screen === s.screen ? "page" : "true") : undefined}>
              {s.title}
            </a>
          ))}
        </nav>
        <div class="bar-end">
          <Backends />
          <Account />
          <Settings />
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        {signedOut.value === "" ? <Shown route={r} /> : <SignIn />}
      </main>
      <Help />
    </>
  );
}

// What is looked at, where there is a choice. The place on the page is kept.
function Backends() {
  const { all, name } = backend.value;
  if (all.length < 2) return null;
  return (
    <label class="select">
      <span class="sr">Backend</span>
      <select value={name} onChange={(e) => location.assign(addressOf(e.currentTarget.value))}>
        {all.map((n) => (
          <option key={n} value={n}>
            {shownText(n)}
          </option>
        ))}
      </select>
    </label>
  );
}

// Who looks, and the way out where there was a way in.
function Account() {
  const { identity, signIn } = server.value;
  if (identity === undefined || signedOut.value !== "") return null;
  const leave = () => {
    void fetch(place().root + "-/signout", { method: "POST", headers: { Accept: "application/json" } })
      .then(async (r) => text(record(record(await r.json())["data"])["next"]))
      .then((next) => location.assign(/^https?:\/\//.test(next) ? next : place().root), () => location.reload());
  };
  return (
    <>
      <span class="who">{shownText(identity.name)}</span>
      {signIn && (
        <button type="button" class="button" onClick={leave}>
          Sign out
        </button>
      )}
    </>
  );
}

// The way in, and back to what was looked at.
function SignIn() {
  const to = `${place().root}${signedOut.value}?return_to=${encodeURIComponent(new URL(place().here).pathname + formatRoute(route.value))}`;
  return (
    <section class="empty">
      <h1>Please sign in</h1>
      <p>Your session is over, or there was none.</p>
      <p>
        <a class="button button-main" href={to}>
          Sign in
        </a>
      </p>
    </section>
  );
}

function Shown({ route: r }: { route: Route }) {
  switch (r.screen) {
    case "metrics":
      return <MetricsScreen route={r} />;
    case "metric":
      return <MetricScreen key={r.name} route={r} />;
    case "query":
      return <QueryScreen route={r} />;
    case "probes":
      return <ProbesScreen route={r} />;
    case "arrivals":
      return <ArrivalsScreen route={r} />;
    default:
      return (
        <section class="empty">
          <h1>There is nothing at this address</h1>
          <p>
            <a href="#/">All metrics</a>
          </p>
        </section>
      );
  }
}

// One metric belongs to the list of all.
function isAt(r: Route, s: Screen): boolean {
  return r.screen === s || (s === "metrics" && r.screen === "metric");
}

// The hash belongs to the router, so the link must not change it.
function toContent(e: MouseEvent): void {
  e.preventDefault();
  document.getElementById("content")?.focus();
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 16 16" width="18" height="18" aria-hidden="true">
      <path class="mark-stalk" d="M6.5 15.2V8.2h3v7z" />
      <path class="mark-ember" d="M8 .8c2.4 2.3 3 3.6 3 4.7a3 3 0 0 1-6 0C5 4.4 5.6 3.1 8 .8z" />
    </svg>
  );
}
