import type { Destination } from "../api/arrivals";
import { now } from "../clock";
import { bytesOf, formatNumber } from "../format/number";
import { shownText } from "../format/text";
import { formatAge } from "../format/time";

/** Where samples go, and whether they are taken there. */
export function DestinationsSection({ destinations }: { destinations: readonly Destination[] }) {
  if (destinations.length === 0) return <p class="none">There is no destination yet.</p>;
  return (
    <ul class="destinations">
      {destinations.map((d) => (
        <li key={d.name} class={d.health === "down" ? "bad" : undefined}>
          <h2>
            <span class={`badge health-${d.health}`}>{d.health}</span> {d.name === "store" ? "The embedded store" : shownText(d.name)} {d.url !== "" && <span class="dim">{shownText(d.url)}</span>}
          </h2>
          {d.error !== "" && (
            <p class="reason">
              {shownText(d.error)}
              {d.since !== undefined && <span class="dim"> since {formatAge(d.since, now.value)}</span>}
            </p>
          )}
          <p class="dim">
            {[
              d.taken === undefined ? "no tick taken yet" : `took a tick ${formatAge(d.taken, now.value)}`,
              d.samples > 0 && `${formatNumber(d.samples)} samples stored since the start`,
              d.waiting > 0 && `${bytesOf(d.waiting)} wait on the disk`,
              d.failed > 0 && `${formatNumber(d.failed)} had to be sent again`,
              d.dropped > 0 && `${formatNumber(d.dropped)} given up after waiting too long`,
              ...d.refused.map(([why, n]) => `${formatNumber(n)} refused: ${why}`),
            ]
              .filter((x) => x !== false)
              .join(" · ")}
          </p>
        </li>
      ))}
    </ul>
  );
}
