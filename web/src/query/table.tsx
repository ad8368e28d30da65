import { useState } from "preact/hooks";
import type { InstantResult } from "../api/expression";
import type { Series } from "../api/series";
import { exactNumber, formatNumber } from "../format/number";
import { shownText } from "../format/text";
import { stamp } from "../format/time";
import { bound } from "../chart/heat";
import { formatSeries } from "../promql";

const first = 50;

/** The answer at one moment; of a range selector the stored samples, with their exact times. */
export function Table({ result }: { result: InstantResult }) {
  const [shown, setShown] = useState(first);
  const [byValue, setByValue] = useState(false);
  if (result.type === "string") return <p class="scalar">{shownText(result.text)}</p>;
  const matrix = result.type === "matrix";
  const rows = byValue && !matrix ? [...result.series].sort((a, b) => (b.samples[0]?.v ?? 0) - (a.samples[0]?.v ?? 0)) : result.series;
  const rest = rows.length - shown;
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="Result">
        <table class="result">
          <thead>
            <tr>
              <th scope="col">Series</th>
              <th scope="col" class="num">
                {matrix ? (
                  "Stored samples"
                ) : (
                  <button type="button" class="sort" aria-pressed={byValue} onClick={() => setByValue(!byValue)}>
                    {byValue ? "↓ " : ""}Value
                  </button>
                )}
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((s) => (
              <tr key={formatSeries(s.labels)}>
                <td class="label wrap">{result.type === "scalar" ? "scalar" : shownText(formatSeries(s.labels))}</td>
                <td class="num strong">{matrix ? <Samples s={s} /> : <Value s={s} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rest > 0 && (
        <button type="button" class="button more" onClick={() => setShown(shown + 200)}>
          Show {Math.min(200, rest)} more of {formatNumber(rest)}
        </button>
      )}
    </>
  );
}

function Value({ s }: { s: Series }) {
  const x = s.samples[0];
  if (x === undefined) return <>–</>;
  if (x.buckets === undefined) return <>{exactNumber(x.v)}</>;
  return (
    <details>
      <summary>
        {formatNumber(x.v)} observations, sum {formatNumber(x.sum ?? NaN)}
      </summary>
      <ul class="buckets">
        {x.buckets.slice(0, 200).map(([lower, upper, n]) => (
          <li key={lower}>
            <span class="dim">
              {bound(lower)} – {bound(upper)}
            </span>{" "}
            {formatNumber(n)}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Samples({ s }: { s: Series }) {
  return (
    <ul class="stamped">
      {s.samples.slice(-100).map((x) => (
        <li key={x.t}>
          <span class="dim">{stamp(x.t)}</span> {exactNumber(x.v)}
        </li>
      ))}
      {s.samples.length > 100 && <li class="dim">the last 100 of {formatNumber(s.samples.length)}</li>}
    </ul>
  );
}
