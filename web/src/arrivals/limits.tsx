import type { Suspect, Usage } from "../api/arrivals";
import { now } from "../clock";
import { formatNumber } from "../format/number";
import { shownText } from "../format/text";
import { formatAge } from "../format/time";
import { hashOf } from "../router";

/** Who uses how much of the limits, and labels that make series without end. */
export function LimitsSection({ usages, suspects }: { usages: readonly Usage[]; suspects: readonly Suspect[] }) {
  return (
    <>
      {suspects.length > 0 && (
        <section class="block">
          <div class="section-head">
            <h2>Labels that look like ids</h2>
            <p class="dim">Each value begins a series of its own, which is kept and paid for. Put such things into logs.</p>
          </div>
          <ul class="suspects">
            {suspects.map((s) => (
              <li key={`${s.identity} ${s.label} ${s.metric}`}>
                <a href={hashOf("metric", s.metric)}>
                  <code>{shownText(s.metric)}</code>
                </a>{" "}
                has the label <b>{shownText(s.label)}</b>, whose values look like {/^[aeio]/.test(s.kind) ? "an" : "a"} {shownText(s.kind)}, such as <code>{shownText(s.example)}</code>: {formatNumber(s.series)} new series
                {s.last !== undefined && <span class="dim">, last {formatAge(s.last, now.value)}</span>}
              </li>
            ))}
          </ul>
        </section>
      )}
      <section class="block">
        <h2>Senders and their sources</h2>
        {usages.length === 0 ? (
          <p class="none">Nobody has sent anything in the last hour.</p>
        ) : (
          <div class="scroll" tabIndex={0} role="region" aria-label="Senders and their sources">
            <table class="costs">
              <thead>
                <tr>
                  <th scope="col">Sender</th>
                  <th scope="col">Source</th>
                  <th scope="col" class="num">Active series</th>
                  <th scope="col">Of the limit</th>
                  <th scope="col" class="num">Pushes refused</th>
                  <th scope="col" class="num">Series folded</th>
                  <th scope="col" class="num">Series rejected</th>
                  <th scope="col" class="num">Last</th>
                </tr>
              </thead>
              <tbody>
                {usages.slice(0, 300).map((u) => (
                  <tr key={`${u.identity} ${u.source}`} class={u.limited + u.rejected > 0 ? "over" : undefined}>
                    <td>{u.identity === "" ? <span class="dim">anybody</span> : shownText(u.identity)}</td>
                    <td>{u.source === "" ? <span class="dim">all</span> : shownText(u.source)}</td>
                    <td class="num">{formatNumber(u.series)}</td>
                    <td class="share">{u.limit === 0 ? <span class="dim">no limit</span> : <Of u={u} />}</td>
                    <td class="num">{formatNumber(u.limited)}</td>
                    <td class="num">{formatNumber(u.folded)}</td>
                    <td class="num">{formatNumber(u.rejected)}</td>
                    <td class="num">{u.last === undefined ? "–" : formatAge(u.last, now.value)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
    </>
  );
}

function Of({ u }: { u: Usage }) {
  return (
    <>
      <meter min={0} max={u.limit} high={u.limit * 0.8} optimum={0} value={u.series} aria-label={`Of ${u.limit}`} /> {formatNumber(u.limit)}
    </>
  );
}
