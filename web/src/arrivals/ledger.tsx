import type { ComponentChildren } from "preact";
import type { Destination, Ledger } from "../api/arrivals";
import { now } from "../clock";
import { bytesOf, count, formatNumber } from "../format/number";
import { formatStep, span } from "../format/time";
import type { Loaded } from "./model";

/** Whether what was acknowledged also goes out, in a few numbers. */
export function LedgerTiles({ ledger, destinations }: { ledger: Loaded<Ledger>; destinations: readonly Destination[] }) {
  const l = ledger.value;
  if (l === undefined) return ledger.error === undefined ? null : <p class="notice notice-bad">The ledger can’t be read: {ledger.error}</p>;
  const lag = l.lastTick === undefined ? undefined : Math.max(0, now.value - l.lastTick);
  const late = lag !== undefined && lag > 2 * l.interval + 2000;
  const down = destinations.filter((d) => d.health === "down");
  return (
    <>
      {l.error !== "" && (
        <div class="notice notice-bad" role="alert">
          <strong>Pushes can’t be taken</strong>
          <p>{l.error}</p>
        </div>
      )}
      <dl class="tiles">
        <Tile name="Last tick" bad={late} note={late ? `late: one is due each ${formatStep(l.interval)}` : `one each ${formatStep(l.interval)}`}>
          {lag === undefined ? "none yet" : `${span(lag)} ago`}
        </Tile>
        <Tile name="Pushes" note={`${count(l.duplicates, "duplicate")}, ${formatNumber(l.refused)} refused`}>{formatNumber(l.entries)}</Tile>
        <Tile name="Rejected series" bad={l.rejected > 0} note="at all doors, since the start">{formatNumber(l.rejected)}</Tile>
        <Tile name="Series kept" note={`of at most ${formatNumber(l.maxSeries)}; ${count(l.shards, "shard")} in ${count(l.states, "state")}`}>{formatNumber(l.series)}</Tile>
        <Tile name="Queue" note="acknowledged, beyond the checkpoint">{bytesOf(l.queue)}</Tile>
        <Tile name="Destinations" bad={down.length > 0} note={down.length > 0 ? `down: ${down.map((d) => d.name).join(", ")}` : "all take what they get"}>
          {formatNumber(destinations.length)}
        </Tile>
      </dl>
    </>
  );
}

function Tile(p: { name: string; note: string; bad?: boolean; children: ComponentChildren }) {
  return (
    <div class={p.bad === true ? "tile tile-bad" : "tile"}>
      <dt>{p.name}</dt>
      <dd>
        <span class="figure">{p.children}</span>
        <span class="note">{p.note}</span>
      </dd>
    </div>
  );
}
