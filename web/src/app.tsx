import { useEffect } from "preact/hooks";
import { route } from "./router";
import { MetricScreen } from "./metric/screen";
import { slashFocuses } from "./metrics/keys";
import { MetricsScreen } from "./metrics/screen";

/** The frame and the screen that the address names. */
export function App() {
  useEffect(() => {
    document.addEventListener("keydown", slashFocuses);
    return () => document.removeEventListener("keydown", slashFocuses);
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
          <a href="#/" aria-current={r.screen === "metrics" ? "page" : undefined}>
            Metrics
          </a>
        </nav>
      </header>
      <main id="content" tabIndex={-1}>
        {r.screen === "metrics" && <MetricsScreen filter={r.filter} />}
        {r.screen === "metric" && <MetricScreen key={r.name} route={r} />}
        {r.screen === "lost" && (
          <section class="empty">
            <h1>There is nothing at this address</h1>
            <p>
              <a href="#/">All metrics</a>
            </p>
          </section>
        )}
      </main>
    </>
  );
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
