import type { DestinationCost } from "../api/arrivals";
import { server } from "../api/server";
import { money } from "../format/money";
import { count, formatNumber } from "../format/number";
import { shownText } from "../format/text";
import { span } from "../format/time";

/** What each source costs a month, at each destination. */
export function CostSection({ costs }: { costs: readonly DestinationCost[] }) {
  const { price } = server.value;
  return (
    <>
      <p class="dim lead">
        At {price.samples} {price.currency} a million samples (<code>viewer.price_per_million_samples</code>), for 30 days at the pace so far, without what is free. Queries cost extra: the Query screen says how much each reads.
      </p>
      {costs.length === 0 && <p class="none">There is no destination that costs anything.</p>}
      {costs.map((c) => (
        <section class="block" key={c.destination}>
          <div class="section-head">
            <h2>
              {c.destination === "store" ? "The embedded store" : shownText(c.destination)}: {money(c.total.month, price.currency)} a month
            </h2>
            <p class="dim">
              {c.destination === "store" && "It is free; this is what the same samples would cost. "}
              {count(c.total.samples, "sample")} in {span(c.window)}, {formatNumber(Math.round(c.total.samplesDay))} a day.
            </p>
          </div>
          <div class="scroll" tabIndex={0} role="region" aria-label={`Cost of ${c.destination}`}>
            <table class="costs">
              <thead>
                <tr>
                  <th scope="col">Source</th>
                  <th scope="col">Share</th>
                  <th scope="col" class="num">Samples a day</th>
                  <th scope="col" class="num">A month</th>
                </tr>
              </thead>
              <tbody>
                {c.sources.slice(0, 200).map((s) => (
                  <tr key={s.source}>
                    <th scope="row">{s.source === "" ? <span class="dim">without a service or job</span> : shownText(s.source)}</th>
                    <td class="share">
                      <meter min={0} max={c.total.samples} value={s.samples} aria-label={`Share of ${s.source}`} /> {percent(s.samples / Math.max(1, c.total.samples))}
                    </td>
                    <td class="num">{formatNumber(Math.round(s.samplesDay))}</td>
                    <td class="num strong">{money(s.month, price.currency)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      ))}
      <p class="lead">
        <a href="#/?sort=-cost">Which metrics cost most</a>
      </p>
    </>
  );
}

function percent(share: number): string {
  return share > 0 && share < 0.005 ? "< 1 %" : `${Math.round(share * 100)} %`;
}
