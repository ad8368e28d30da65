import { place } from "../api/place";
import { canCopy, download, useCopy } from "../ui/copy";
import { Popover } from "../ui/popover";
import { selector } from "../promql";
import { hashOf } from "../router";
import { spanPatch } from "../time/span";
import type { Family } from "../metrics/family";
import type { MetricData, SeriesData } from "./data";
import { csv, curl, promtoolTest } from "./export";
import { expressionOf, lensName } from "./load";
import type { View } from "./view";

/** Takes what is seen along: as PromQL, curl, CSV, or a test for promtool. */
export function CopyAs({ family, data, view, shown }: { family: Family; data: MetricData; view: View; shown: readonly SeriesData[] }) {
  const { copied, copy } = useCopy();
  const name = lensName(family);
  const expression = expressionOf(family, view.where, view.by, data.rateWindow);
  const base = place().here;
  const test = data.groups === undefined && !data.partial ? promtoolTest(name, shown) : undefined;
  const file = name.replace(/[^a-zA-Z0-9_.-]/g, "_");
  return (
    <div class="copyas">
      <a class="button" href={hashOf("query", "", { q: expression, ...spanPatch(view.span) })}>
        Query
      </a>
      <Popover label="Copy as …" align="right" class="menu">
        {(close) => (
          <ul>
            {canCopy && (
              <>
                <Item text="PromQL" note={expression} run={() => copy(expression, "PromQL copied")} close={close} />
                <Item text="curl" note="asks for the stored samples" run={() => copy(curl(base, selector(name, view.where), data.grid.start, data.end), "curl command copied")} close={close} />
                {data.groups === undefined && <Item text="CSV" note="stored samples" run={() => copy(csv(shown, data.labelNames), "CSV copied")} close={close} />}
                {test !== undefined && <Item text="promtool test" note="stored samples as a unit test" run={() => copy(test, "Test copied")} close={close} />}
              </>
            )}
            {data.groups === undefined && <Item text="CSV, as a file" run={() => download(`${file}.csv`, "text/csv", csv(shown, data.labelNames))} close={close} />}
            {test !== undefined && <Item text="promtool test, as a file" run={() => download(`${file}.test.yml`, "application/yaml", test)} close={close} />}
          </ul>
        )}
      </Popover>
      <span class="copied" role="status">
        {copied.value}
      </span>
    </div>
  );
}

function Item(p: { text: string; note?: string; run: () => void; close: () => void }) {
  return (
    <li>
      <button
        type="button"
        onClick={() => {
          p.run();
          p.close();
        }}
      >
        {p.text}
        {p.note !== undefined && <span class="dim">{p.note}</span>}
      </button>
    </li>
  );
}
